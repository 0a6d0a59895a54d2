"""Templates: `NAME.html` and `NAME.txt` in the folder `templates`, and in `NAME.json` the data of their preview."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

FOLDER: Final = Path(__file__).parent / "templates"
MAX_GREETING: Final = 60
_LINK: Final = re.compile(r"https?://[^\s\"'<>\\]+")


class UnknownTemplateError(LookupError):
    """There is no such template."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"There is no template {name!r}; there are {', '.join(known)}.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendered:
    """A mail's two forms."""

    html: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """With what a template is previewed."""

    subject: str
    data: Mapping[str, object]


class Templates:
    """Renders mails. In HTML all data is escaped; data that a template asks for and does not get is an error.

    Args:
        project_name: what every template may call the product.
    """

    def __init__(self, project_name: str, folder: Path = FOLDER) -> None:
        self._folder = folder
        self._environment = Environment(
            loader=FileSystemLoader(folder),
            autoescape=select_autoescape(disabled_extensions=("txt",), default=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals["project_name"] = project_name
        self._environment.filters["link"] = check_link

    @property
    def names(self) -> tuple[str, ...]:
        """Of all templates."""
        return tuple(sorted(path.stem for path in self._folder.glob("*.json")))

    def render(self, name: str, data: Mapping[str, object], *, subject: str) -> Rendered:
        """Both forms of a mail.

        Raises:
            UnknownTemplateError: there is no such template.
            jinja2.UndefinedError: the template asks for what `data` has not.
            ValueError: a link is none.
        """
        if name not in self.names:
            raise UnknownTemplateError(name, self.names)
        html, text = (
            self._environment.get_template(f"{name}.{kind}").render(data, subject=subject) for kind in ("html", "txt")
        )
        return Rendered(html=html, text=text)

    def sample(self, name: str) -> Sample:
        """The data of a template's preview.

        Raises:
            UnknownTemplateError: there is no such template.
        """
        if name not in self.names:
            raise UnknownTemplateError(name, self.names)
        document = json.loads((self._folder / f"{name}.json").read_text(encoding="utf-8"))
        return Sample(subject=document["subject"], data=document["data"])


def check_link(url: str) -> str:
    """The address, for `href`: escaping alone would let `javascript:` pass.

    Raises:
        ValueError: it is not one of the web.
    """
    if not _LINK.fullmatch(url):
        raise ValueError("A link in a mail begins with https:// or http:// and has no spaces or quotes.")
    return url


def greeting_name(name: str | None) -> str | None:
    """A name to greet somebody with, if it is one.

    Who signs up under somebody else's address writes to them through the welcome mail: no links, no sentences.
    """
    if not name or len(name) > MAX_GREETING or re.search(r"[/:@<>]|www\.|\.[a-z]{2,}", name, re.IGNORECASE):
        return None
    return name
