from app.dev.pipeline.attestations import PLATFORMS, problems

SBOM = {platform: {"SPDX": {"packages": [{"name": "fastapi"}]}} for platform in PLATFORMS}
PROVENANCE = {platform: {"SLSA": {"buildType": "x"}} for platform in PLATFORMS}


def test_an_image_with_all_attestations_passes() -> None:
    assert problems(SBOM, PROVENANCE) == []


def test_each_missing_attestation_is_named() -> None:
    assert problems({}, PROVENANCE) == [f"{platform}: no SBOM" for platform in PLATFORMS]
    assert problems(SBOM, {}) == [f"{platform}: no provenance" for platform in PLATFORMS]
    one = {PLATFORMS[0]: SBOM[PLATFORMS[0]]}
    assert problems(one, PROVENANCE) == [f"{PLATFORMS[1]}: no SBOM"]


def test_an_sbom_without_the_packages_is_not_one() -> None:
    empty = {platform: {"SPDX": {"packages": [{"name": "debian"}]}} for platform in PLATFORMS}
    assert problems(empty, PROVENANCE) == [f"{platform}: the SBOM does not contain fastapi" for platform in PLATFORMS]
