"""The pieces and the questions, read from the template: `extensions/catalog/*.yml` and `copier.yml`."""

import difflib
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from omnistack.shell.errors import OmniError
from omnistack.template.yaml_loader import SafeLoader, load_yaml

CATALOG_DIR = "extensions/catalog"
QUESTIONS_FILE = "copier.yml"

type Kind = Literal["module", "provider", "infrastructure", "deploy"]
type Answer = str | bool


class Strict(BaseModel):
    """A document without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Setting(Strict):
    """An environment variable of the rendered project."""

    name: str
    help: str
    default: str | None = None
    answer: str | None = None
    """The question whose answer is the default."""
    generate: bool = False
    """Whether it is a secret, of which `omnistack new` writes a new one to `.env`."""
    required: bool = False
    """Whether it must be set outside local; for a provider's setting, where that provider is selected."""
    recommended: bool = False
    """Whether most deployments set it, though the application starts without it."""
    service: str | None = None
    """The service whose address it is. A platform that starts the service sets it."""
    rotation: str | None = None
    """The steps to replace it without downtime, for a secret."""


class Process(Strict):
    """A process of the rendered project beside the server."""

    name: str
    help: str
    command: list[str]
    reload: list[str]
    """The command for development, which reloads when the code changes."""
    healthcheck: list[str]
    """A command that exits with 0 if the process in the same container is alive."""


class Volume(Strict):
    """A folder of the rendered project's image whose files outlive the container."""

    name: str
    path: str
    """An absolute path. The image creates it for the application's user."""
    setting: str
    """The setting that contains the path."""


class ContainerSetting(Strict):
    """A setting that the application's containers have another value of than other environments."""

    name: str
    value: str


class Piece(Strict):
    """Anything that can be chosen."""

    name: str
    label: str
    help: str
    kind: Kind
    always: bool
    """Whether every project has it."""
    port: str | None
    """For a provider: the question whose answer names it."""
    module: str | None
    """The folder in `app/` that holds its manifest."""
    requires: list[str]
    conflicts: list[str]
    presets: list[str]
    dependencies: list[str]
    dev_dependencies: list[str]
    paths: list[str]
    settings: list[Setting]
    services: list[str]
    owns: list[str]
    # The only optional keys.
    processes: list[Process] = []
    volumes: list[Volume] = []
    compose_files: list[str] = []
    """Those of its paths that `compose.yaml` includes."""
    container_settings: list[ContainerSetting] = []
    offers: list[str] = []
    """Those of its paths that exist for the user's own code: nothing in the application has to import them."""
    dev_servers: list[str] = []
    """The files in `app/dev/servers/` that define a `dev_service`, which `app dev` runs."""
    is_port: bool = Field(default=False, exclude=True)
    """Whether it has the name of a port: then answers choose its providers. Computed, not written in the file."""

    @property
    def question(self) -> str | None:
        """The question that chooses it; none for a piece of every project, or one that is only required by others."""
        return None if self.always or self.is_port else self.port or self.name


class Choice(BaseModel):
    """A choice of a question."""

    model_config = ConfigDict(frozen=True)

    value: str
    label: str


class Question(BaseModel):
    """A question of `copier.yml` that is not hidden."""

    model_config = ConfigDict(frozen=True)

    name: str
    type: Literal["str", "bool"]
    help: str
    choices: tuple[Choice, ...]
    default: Answer
    """As written; a string may be a Jinja expression, which `Questionnaire.default` evaluates."""

    @property
    def values(self) -> tuple[Answer, ...]:
        """The valid answers; empty for a text."""
        return (True, False) if self.type == "bool" else tuple(choice.value for choice in self.choices)


class Catalog:
    """All pieces, sorted by name, and all questions, in the order in which they are asked."""

    def __init__(self, pieces: Iterable[Piece], questions: Iterable[Question], kept: Iterable[str] = ()) -> None:
        self._pieces = {piece.name: piece for piece in sorted(pieces, key=lambda piece: piece.name)}
        self.questions = {question.name: question for question in questions}
        for name in self._ports() & self._pieces.keys():
            self._pieces[name] = self._pieces[name].model_copy(update={"is_port": True})
        self.kept = tuple(kept)
        """The files that Copier renders once and no update changes."""

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """Every piece, sorted by name."""
        return tuple(self._pieces.values())

    @property
    def names(self) -> tuple[str, ...]:
        """The name of every piece, sorted."""
        return tuple(self._pieces)

    def __contains__(self, name: object) -> bool:
        return name in self._pieces

    def piece(self, name: str) -> Piece:
        """Return a piece.

        Raises:
            OmniError: there is none; it names similar ones.
        """
        if name not in self._pieces:
            raise OmniError(f"there is no piece {name!r}", suggest(name, self.names, "`omnistack list` shows all"))
        return self._pieces[name]

    def requires(self, name: str) -> tuple[str, ...]:
        """List the pieces that a piece requires, directly and indirectly, sorted."""
        seen: set[str] = set()
        pending = list(self.piece(name).requires)
        while pending:
            required = pending.pop()
            if required not in seen:
                seen.add(required)
                pending.extend(self.piece(required).requires)
        return tuple(sorted(seen - {name}))

    def required_by(self, name: str) -> tuple[str, ...]:
        """List the pieces that require this one, directly and indirectly, sorted."""
        self.piece(name)
        return tuple(other for other in self.names if name in self.requires(other))

    def _ports(self) -> set[str]:
        """Return the ports: those with a question for one provider, and those whose providers have a question each."""
        found = {piece.port for piece in self._pieces.values() if piece.port}
        for piece in self._pieces.values():
            if piece.kind == "provider" and not piece.port:
                found.update(name for name in piece.requires if name not in self.questions)
        return found

    def providers(self, port: str) -> tuple[Piece, ...]:
        """List the providers of a port, sorted by name."""
        return tuple(piece for piece in self.pieces if piece.port == port)

    @cached_property
    def presets(self) -> tuple[str, ...]:
        """The presets, in the order in which they are offered."""
        question = self.questions.get("preset")
        return tuple(choice.value for choice in question.choices) if question else ()

    def preset_pieces(self, preset: str) -> tuple[Piece, ...]:
        """Return the pieces that a preset chooses, in the order of the questions; their labels describe it."""
        chosen = [piece for piece in self.pieces if preset in piece.presets and piece.question in self.questions]
        order = list(self.questions)
        return tuple(sorted(chosen, key=lambda piece: order.index(str(piece.question))))


def plain(value: Answer) -> str:
    """Return an answer as `-d` accepts it."""
    return str(value).lower() if isinstance(value, bool) else value


def suggest(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """Suggest similar names; if there are none, return `otherwise` or list all names."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.7)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return otherwise or f"choose one of {', '.join(names)}"


def load_catalog(root: Path) -> Catalog:
    """Read a template's pieces and questions; `root` is the folder that holds `copier.yml`."""
    files = sorted((root / CATALOG_DIR).glob("*.yml"))
    if not files:
        raise OmniError(f"{root} has no {CATALOG_DIR}/*.yml", "name a checkout of the template with --template")
    document = _read_document(root / QUESTIONS_FILE)
    pieces = [_read_piece(file) for file in files]
    catalog = Catalog(pieces, _read_questions(document), map(str, document.get("_skip_if_exists", ())))
    for piece in catalog.pieces:
        for field, names in (("requires", piece.requires), ("conflicts", piece.conflicts)):
            for name in names:
                if name not in catalog:
                    raise OmniError(
                        f"{CATALOG_DIR}/{piece.name}.yml: {field} names {name!r}, which is not a piece",
                        suggest(name, catalog.names),
                    )
    return catalog


def _read_piece(file: Path) -> Piece:
    where = f"{CATALOG_DIR}/{file.name}"
    try:
        piece = Piece.model_validate(load_yaml(file.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise OmniError(f"{where} is not valid YAML: {_first_line(error)}", "correct the file") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the document"
        raise OmniError(
            f"{where}: {field}: {first['msg']}", "omnistack/template/catalog.py lists the keys of a piece"
        ) from error
    if piece.name != file.stem:
        raise OmniError(f"{where}: name: {piece.name!r} is not the file's name", f"write name: {file.stem}")
    return piece


class _QuestionsLoader(SafeLoader):
    """A loader of `copier.yml` that skips Copier's `!include`."""


_QuestionsLoader.add_constructor("!include", lambda _loader, _node: None)


def _read_document(file: Path) -> dict[str, Any]:
    try:
        # The loader is a SafeLoader, and the file is the template's own.
        document = yaml.load(file.read_text(encoding="utf-8"), Loader=_QuestionsLoader)  # noqa: S506
    except OSError as error:
        raise OmniError(f"{file} cannot be read", "name a checkout of the template with --template") from error
    except yaml.YAMLError as error:
        raise OmniError(f"{file.name} is not valid YAML: {_first_line(error)}", "correct the file") from error
    if not isinstance(document, dict):
        raise OmniError(f"{file.name} contains no questions", "correct the file")
    return document


def _read_questions(document: Mapping[str, Any]) -> list[Question]:
    questions: list[Question] = []
    for name, body in document.items():
        if name.startswith("_") or not isinstance(body, dict) or body.get("when") is False:
            continue
        try:
            asked = {key: body[key] for key in ("type", "help", "default") if key in body}
            choices = _read_choices(body.get("choices", ()))
            questions.append(
                Question.model_validate({"help": name, "default": "", **asked, "name": name, "choices": choices})
            )
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"])
            raise OmniError(f"{QUESTIONS_FILE}: {name}.{field}: {first['msg']}", "correct the question") from error
    return questions


def _read_choices(choices: dict[str, str] | list[str] | tuple[()]) -> tuple[Choice, ...]:
    if isinstance(choices, dict):
        return tuple(Choice(value=value, label=label) for label, value in choices.items())
    return tuple(Choice(value=value, label=value) for value in choices)


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
