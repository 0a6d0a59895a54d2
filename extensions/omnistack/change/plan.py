"""The changes of `add` and `remove`: answers, and the pieces that are added or removed with them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from omnistack.shell.errors import OmniError
from omnistack.template.answers import Questionnaire
from omnistack.template.catalog import Answer, Catalog, Piece
from omnistack.template.project import Answers

NONE = "none"
MIGRATIONS = "migrations/versions/"


@dataclass(frozen=True)
class Plan:
    """The answers to change; empty when there is nothing to do."""

    answers: Answers
    notes: tuple[str, ...]
    """Notes for the user, one line each."""
    before: tuple[Piece, ...] = field(default=())
    after: tuple[Piece, ...] = field(default=())

    @property
    def added(self) -> list[Piece]:
        """The added pieces, each after those that it requires."""
        return [piece for piece in self.after if piece not in self.before]

    @property
    def removed(self) -> list[Piece]:
        """The removed pieces, each before those that it requires."""
        return [piece for piece in reversed(self.before) if piece not in self.after]

    @property
    def downgrades(self) -> list[str]:
        """The removed migration branches, in the order in which they can be downgraded."""
        return [
            path.removeprefix(MIGRATIONS).strip("/")
            for piece in self.removed
            for path in piece.paths
            if path.startswith(MIGRATIONS)
        ]


def plan_add(questions: Questionnaire, answers: Answers, names: Sequence[str]) -> Plan:
    """Plan how to add pieces.

    Raises:
        OmniError: pieces conflict, or one cannot be chosen by itself.
    """
    catalog = questions.catalog
    evaluation = questions.evaluate(answers)
    answers, before = evaluation.answers, evaluation.chosen
    changed: Answers = {}
    notes: list[str] = []
    for name in dict.fromkeys(names):
        piece = catalog.piece(name)
        if name in before and not _can_be_selected(answers, piece):
            notes.append(f"the project already has {name}{_because(catalog, answers, piece)}")
            continue
        question = _question(catalog, piece, "add", among=catalog.names)
        if question in changed:
            raise OmniError(f"{changed[question]} and {name} cannot both be the {question} provider", "add one of them")
        if piece.port:
            changed[question] = name
            notes.extend(_replaces(catalog, answers, piece))
        else:
            changed[question] = True
    for name in [name for name in names if name not in before]:
        notes.extend(_add_requirements(catalog, answers, changed, name))
    if not changed:
        return Plan({}, tuple(notes))
    return _plan(questions, answers, changed, notes, names)


def plan_remove(questions: Questionnaire, answers: Answers, names: Sequence[str]) -> Plan:
    """Plan how to remove pieces.

    Raises:
        OmniError: another chosen piece requires one of them, or every project has it.
    """
    catalog = questions.catalog
    evaluation = questions.evaluate(answers)
    answers, before = evaluation.answers, evaluation.chosen
    changed: Answers = {}
    notes: list[str] = []
    for name in dict.fromkeys(names):
        piece = catalog.piece(name)
        if piece.always:
            raise OmniError(f"{name} is part of every project and cannot be removed")
        if name not in before:
            notes.append(f"the project does not have {name}")
            continue
        question = _question(catalog, piece, "remove", among=_roots(catalog, answers))
        if not piece.port:
            changed[question] = False
        elif answers.get(question) == name:
            changed[question] = _no_provider(catalog, piece)
            others = [provider.name for provider in catalog.providers(question) if provider.name != name]
            if others:
                notes.append(
                    f"the project will have no {question} provider; "
                    f"to replace it instead: omnistack add {' | '.join(others)}"
                )
    after = {**answers, **changed}
    for name in dict.fromkeys(names):
        needing = [other for other in _roots(catalog, after) if name in catalog.requires(other)]
        if name in before and needing:
            raise OmniError(
                _needs(needing, name), f"remove them together: omnistack remove {' '.join([*needing, name])}"
            )
    if not changed:
        return Plan({}, tuple(notes))
    return _plan(questions, answers, changed, notes, names)


def _plan(questions: Questionnaire, answers: Answers, changed: Answers, notes: list[str], names: Sequence[str]) -> Plan:
    catalog = questions.catalog
    before = questions.evaluate(answers).chosen
    after = questions.evaluate({**answers, **changed}).chosen
    named = {*names, *(value for value in answers.values() if isinstance(value, str)), *changed}
    for name in after:
        if name not in before and name not in named:
            needing = [other for other in names if name in catalog.requires(other)]
            notes.append(f"{name} is added too: {_needs(needing)}")
    notes.extend(
        f"{name} is removed too: nothing else requires it" for name in before if name not in after and name not in named
    )
    return Plan(
        changed,
        tuple(notes),
        before=tuple(catalog.piece(name) for name in before),
        after=tuple(catalog.piece(name) for name in after),
    )


def _question(catalog: Catalog, piece: Piece, verb: str, *, among: Sequence[str]) -> str:
    """Return the question that chooses a piece. If there is none, name the pieces among these that require it."""
    question = piece.question
    if question is None or question not in catalog.questions:
        requiring = [name for name in catalog.required_by(piece.name) if name in among]
        bringing = [name for name in requiring if catalog.piece(name).question in catalog.questions]
        raise OmniError(
            f"{piece.name} cannot be chosen by itself: it is added with the pieces that require it",
            f"{verb} {' or '.join(bringing)}" if bringing else "",
        )
    return question


def _because(catalog: Catalog, answers: Answers, piece: Piece) -> str:
    if piece.always:
        return ": it is part of every project"
    if piece.question and answers.get(piece.question) in {True, piece.name}:
        return ""
    return f": {_needs([name for name in _roots(catalog, answers) if piece.name in catalog.requires(name)])}"


def _can_be_selected(answers: Answers, piece: Piece) -> bool:
    """Return whether a provider is in the project only because another one requires it."""
    return piece.port is not None and answers.get(piece.port) != piece.name


def _replaces(catalog: Catalog, answers: Answers, piece: Piece) -> list[str]:
    previous = answers.get(piece.port or "")
    if isinstance(previous, str) and previous in catalog:
        return [f"{piece.name} replaces {previous} ({piece.port})"]
    return []


def _add_requirements(catalog: Catalog, answers: Answers, changed: Answers, name: str) -> list[str]:
    """Answer the questions of the pieces that a piece requires, and refuse those that it conflicts with."""
    notes: list[str] = []
    wanted = {**answers, **changed}
    for other in _roots(catalog, wanted):
        if other in catalog.piece(name).conflicts or name in catalog.piece(other).conflicts:
            raise OmniError(f"{name} cannot be chosen together with {other}", f"first run: omnistack remove {other}")
    for required in catalog.requires(name):
        piece = catalog.piece(required)
        question: Answer | None = piece.question
        if not piece.port and question in catalog.questions and wanted.get(required) is not True:
            changed[required] = True
            notes.append(f"{required} is added too: {_needs([name])}")
    return notes


def _no_provider(catalog: Catalog, piece: Piece) -> str:
    port = piece.port or ""
    if NONE in catalog.questions[port].values:
        return NONE
    others = [provider.name for provider in catalog.providers(port) if provider.name != piece.name]
    raise OmniError(
        f"a project always has one {port} provider, so {piece.name} cannot be removed",
        f"replace it instead: omnistack add {' | '.join(others)}",
    )


def _roots(catalog: Catalog, answers: Answers) -> list[str]:
    """Name the pieces that the answers choose directly."""
    return [
        piece.name
        for piece in catalog.pieces
        if piece.question and answers.get(piece.question) == (piece.name if piece.port else True)
    ]


def _needs(needing: Sequence[str], what: str = "it") -> str:
    return f"{' and '.join(needing)} {'requires' if len(needing) == 1 else 'require'} {what}"
