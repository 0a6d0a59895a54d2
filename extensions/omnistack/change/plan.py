"""What `add` and `remove` mean: which answers change, and what else comes or goes with them."""

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
    """The answers to change; none means that there is nothing to do."""

    answers: Answers
    notes: tuple[str, ...]
    """What the user should know, one line each."""
    before: tuple[Piece, ...] = field(default=())
    after: tuple[Piece, ...] = field(default=())

    @property
    def added(self) -> list[Piece]:
        """The pieces that come, a requirement before what requires it."""
        return [piece for piece in self.after if piece not in self.before]

    @property
    def removed(self) -> list[Piece]:
        """The pieces that go, the other way round."""
        return [piece for piece in reversed(self.before) if piece not in self.after]

    @property
    def downgrades(self) -> list[str]:
        """The branches of migrations that go, in the order in which they can be taken back."""
        return [
            path.removeprefix(MIGRATIONS).strip("/")
            for piece in self.removed
            for path in piece.paths
            if path.startswith(MIGRATIONS)
        ]


def plan_add(questions: Questionnaire, answers: Answers, names: Sequence[str]) -> Plan:
    """Work out how to add pieces."""
    catalog = questions.catalog
    evaluation = questions.evaluate(answers)
    answers, before = evaluation.answers, evaluation.chosen
    changed: Answers = {}
    notes: list[str] = []
    for name in dict.fromkeys(names):
        piece = catalog.piece(name)
        if name in before:
            notes.append(f"{name} is there already{_whose(catalog, answers, piece)}")
            continue
        question = _question(catalog, piece, "add")
        if question in changed:
            raise OmniError(f"{changed[question]} and {name} both answer {question!r}", "add one of them")
        if piece.port:
            changed[question] = name
            notes.extend(_replaces(catalog, answers, piece))
        else:
            changed[question] = True
    for name in [name for name in names if name not in before]:
        notes.extend(_bring_along(catalog, answers, changed, name))
    if not changed:
        return Plan({}, tuple(notes))
    return _plan(questions, answers, changed, notes, names)


def plan_remove(questions: Questionnaire, answers: Answers, names: Sequence[str]) -> Plan:
    """Work out how to remove pieces; refuses what other chosen pieces cannot be without."""
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
            notes.append(f"{name} is not there")
            continue
        question = _question(catalog, piece, "remove")
        if not piece.port:
            changed[question] = False
        elif answers.get(question) == name:
            changed[question] = _no_provider(catalog, piece)
    after = {**answers, **changed}
    for name in dict.fromkeys(names):
        needing = [other for other in _roots(catalog, after) if name in catalog.requires(other)]
        if name in before and needing:
            raise OmniError(_needs(needing, name), f"remove {' '.join([*needing, name])} together")
    if not changed:
        return Plan({}, tuple(notes))
    return _plan(questions, answers, changed, notes, names)


def _plan(questions: Questionnaire, answers: Answers, changed: Answers, notes: list[str], names: Sequence[str]) -> Plan:
    catalog = questions.catalog
    before = questions.evaluate(answers).chosen
    after = questions.evaluate({**answers, **changed}).chosen
    told = {*names, *(value for value in answers.values() if isinstance(value, str)), *changed}
    for name in after:
        if name not in before and name not in told:
            needing = [other for other in names if name in catalog.requires(other)]
            notes.append(f"{name} comes along: {_needs(needing)}")
    notes.extend(f"{name} goes too: nothing else needs it" for name in before if name not in after and name not in told)
    return Plan(
        changed,
        tuple(notes),
        before=tuple(catalog.piece(name) for name in before),
        after=tuple(catalog.piece(name) for name in after),
    )


def _question(catalog: Catalog, piece: Piece, verb: str) -> str:
    question = piece.question
    if question is None or question not in catalog.questions:
        bringing = [name for name in catalog.required_by(piece.name) if catalog.piece(name).question]
        raise OmniError(
            f"{piece.name} is chosen by no answer of its own; it comes along with other pieces",
            f"{verb} {' or '.join(bringing)}" if bringing else "",
        )
    return question


def _whose(catalog: Catalog, answers: Answers, piece: Piece) -> str:
    if piece.always:
        return ": it is part of every project"
    if piece.question and answers.get(piece.question) in {True, piece.name}:
        return ""
    return f": {_needs([name for name in _roots(catalog, answers) if piece.name in catalog.requires(name)])}"


def _replaces(catalog: Catalog, answers: Answers, piece: Piece) -> list[str]:
    previous = answers.get(piece.port or "")
    if isinstance(previous, str) and previous in catalog:
        return [f"{piece.name} replaces {previous} ({piece.port})"]
    return []


def _bring_along(catalog: Catalog, answers: Answers, changed: Answers, name: str) -> list[str]:
    """Answer the questions of what a piece requires, and refuse what it cannot stand beside."""
    notes: list[str] = []
    wanted = {**answers, **changed}
    for other in _roots(catalog, wanted):
        if other in catalog.piece(name).conflicts or name in catalog.piece(other).conflicts:
            raise OmniError(f"{name} cannot be chosen together with {other}", f"first: omnistack remove {other}")
    for required in catalog.requires(name):
        piece = catalog.piece(required)
        question: Answer | None = piece.question
        if not piece.port and question in catalog.questions and wanted.get(required) is not True:
            changed[required] = True
            notes.append(f"{required} comes along: {_needs([name])}")
    return notes


def _no_provider(catalog: Catalog, piece: Piece) -> str:
    port = piece.port or ""
    if NONE in catalog.questions[port].values:
        return NONE
    others = [provider.name for provider in catalog.providers(port) if provider.name != piece.name]
    raise OmniError(
        f"a project always has a provider of {port}, so {piece.name} cannot be removed",
        f"choose another instead: omnistack add {' | '.join(others)}",
    )


def _roots(catalog: Catalog, answers: Answers) -> list[str]:
    """Name the pieces that the answers themselves choose."""
    return [
        piece.name
        for piece in catalog.pieces
        if piece.question and answers.get(piece.question) == (piece.name if piece.port else True)
    ]


def _needs(needing: Sequence[str], what: str = "it") -> str:
    return f"{' and '.join(needing)} {'needs' if len(needing) == 1 else 'need'} {what}"
