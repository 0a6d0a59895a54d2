"""The cost of a provider: what docs/guide/pieces.md lists is enough."""

from omnistack.prove.proof import prove
from omnistack.prove.source import Source

NAMES = {"postmark": "carrier", "Postmark": "Carrier", "POSTMARK": "CARRIER"}
CHOICE = '    "Postmark": postmark\n'


def renamed(text: str) -> str:
    for old, new in NAMES.items():
        text = text.replace(old, new)
    return text


def copied(source: Source) -> dict[str, str | None]:
    """A new provider: the files of an existing one under another name."""
    own = [path for path in source.files if "postmark" in path]
    return {renamed(path): renamed(source.files[path].decode()) for path in own}


def test_a_provider_is_a_catalog_file_its_paths_and_a_choice(source: Source) -> None:
    changes = copied(source)
    assert sorted(changes) == [
        "extensions/catalog/carrier.yml",
        "template/app/email/providers/carrier.py",
        "template/docs/email-carrier.md",
        "template/tests/email/test_carrier.py",
        "template/tests/fakes/carrier.py",
    ]
    questions = source.files["copier.yml"].decode()
    changes["copier.yml"] = questions.replace(CHOICE, CHOICE + renamed(CHOICE))

    assert [finding.message for finding in prove(source.changed(changes)).findings] == []


def test_a_forgotten_choice_is_a_fault(source: Source) -> None:
    found = [finding.message for finding in prove(source.changed(copied(source))).findings]
    assert any("is not a choice of email" in message for message in found), found
