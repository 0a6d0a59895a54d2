"""`python -m app.dev.pipeline.attestations IMAGE`: fail if a platform of an image lacks its SBOM or its provenance."""

import json
import subprocess
from typing import Any, Final

import click

PLATFORMS: Final = ("linux/amd64", "linux/arm64")
TIMEOUT: Final = 120


def problems(sbom: dict[str, Any], provenance: dict[str, Any], packages: tuple[str, ...] = ("fastapi",)) -> list[str]:
    """Return what is missing, one line each.

    Args:
        sbom: `docker buildx imagetools inspect --format '{{json .SBOM}}'`: an SPDX document for each platform.
        provenance: the same for `.Provenance`: SLSA provenance for each platform.
        packages: names that each SBOM has to contain.
    """
    found: list[str] = []
    for platform in PLATFORMS:
        names = {one.get("name") for one in sbom.get(platform, {}).get("SPDX", {}).get("packages", ())}
        if not names:
            found.append(f"{platform}: no SBOM")
        found += [f"{platform}: the SBOM does not contain {name}" for name in packages if names and name not in names]
        if not provenance.get(platform, {}).get("SLSA"):
            found.append(f"{platform}: no provenance")
    return found


@click.command()
@click.argument("image")
def main(image: str) -> None:
    """Check the SBOM and the provenance of an image in a registry."""
    missing = problems(_inspect(image, ".SBOM"), _inspect(image, ".Provenance"))
    for line in missing:
        click.echo(line, err=True)
    if missing:
        raise click.ClickException(f"{image} lacks attestations.")
    click.echo(f"SBOM and provenance of {', '.join(PLATFORMS)} are there.")


def _inspect(image: str, field: str) -> dict[str, Any]:
    command = ["docker", "buildx", "imagetools", "inspect", image, "--format", f"{{{{json {field}}}}}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT)  # noqa: S603 - arguments of our own
    if done.returncode:
        raise click.ClickException(f"The image cannot be inspected: {done.stderr.strip()}")
    content = json.loads(done.stdout)
    return content if isinstance(content, dict) else {}


if __name__ == "__main__":
    main()
