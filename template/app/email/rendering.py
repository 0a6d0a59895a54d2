"""Rendering of templates: the HTML and the plain text of an email."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from app.email.template_files import InvalidTemplateError, Sample, read_samples

PACKAGE: Final = Path(__file__).parents[1]
FOLDER: Final = Path(__file__).parent / "templates"
MAX_GREETING: Final = 60
_LINK: Final = re.compile(r"https?://[^\s\"'<>\\]+")


class UnknownTemplateError(LookupError):
    """No template has this name."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"Unknown email template {name!r}. Available: {', '.join(known)}.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendered:
    """The two forms of an email."""

    html: str
    text: str


def template_folders(modules: Iterable[str]) -> tuple[Path, ...]:
    """Return the folders with templates: this module's own, and `app/<module>/templates` of the others."""
    others = (PACKAGE / name / "templates" for name in modules)
    return (FOLDER, *(folder for folder in others if folder != FOLDER and folder.is_dir()))


class Templates:
    """The templates of emails. In HTML all data is escaped. A variable that is missing from the data is an error.

    Args:
        project_name: the variable `project_name` of every template.
        base_url: the filter `link` prepends it to a path such as `/files/7`.
        folders: the folders with templates, this module's own first.

    Raises:
        InvalidTemplateError: a template would lose content or is incomplete.
    """

    def __init__(self, project_name: str, *, base_url: str, folders: tuple[Path, ...] = (FOLDER,)) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(folders),
            autoescape=select_autoescape(disabled_extensions=("txt",), default=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(project_name=project_name, has_account=False)
        self._environment.filters["link"] = partial(absolute_link, base_url=base_url.rstrip("/"))
        self._samples = read_samples(folders)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all templates."""
        return tuple(sorted(self._samples))

    def render(self, name: str, data: Mapping[str, object], *, subject: str) -> Rendered:
        """Render both forms of an email.

        Raises:
            UnknownTemplateError: no template has this name.
            InvalidTemplateError: the plain text is empty.
            jinja2.UndefinedError: the template uses a variable that is missing from `data`.
            ValueError: a link is not a web address.
        """
        self.sample(name)
        html, text = (
            self._environment.get_template(f"{name}.{kind}").render(data, subject=subject) for kind in ("html", "txt")
        )
        if not text.strip():
            raise InvalidTemplateError(f"{name}.txt rendered to an empty text.")
        return Rendered(html=html, text=text)

    def sample(self, name: str) -> Sample:
        """Return the subject and the data of a template's preview.

        Raises:
            UnknownTemplateError: no template has this name.
        """
        if name not in self._samples:
            raise UnknownTemplateError(name, self.names)
        return self._samples[name]


def absolute_link(url: str, *, base_url: str) -> str:
    """Return a URL that is safe in `href` and works in an email: escaping alone would allow `javascript:`.

    Args:
        url: a web address, or a path that starts with a single slash and is appended to `base_url`.

    Raises:
        ValueError: the URL is neither.
    """
    absolute = f"{base_url}{url}" if url.startswith("/") and not url.startswith("//") else url
    if not _LINK.fullmatch(absolute) or not absolute.isprintable():
        raise ValueError("A link in an email must start with https://, http:// or a slash, without spaces or quotes.")
    return absolute


def greeting_name(name: str | None) -> str | None:
    """Return the name for a greeting, or `None` if the name is not safe to use.

    A person who signs up with another person's address controls the name in that person's welcome email: links and
    sentences are not allowed.
    """
    if not name or len(name) > MAX_GREETING or re.search(r"[/:@<>]|www\.|\.[a-z]{2,}", name, re.IGNORECASE):
        return None
    return name
