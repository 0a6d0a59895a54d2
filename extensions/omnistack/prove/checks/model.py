"""The feature model: no dead piece, no unreachable choice, every preset valid, requirements and conflicts kept."""

from omnistack.prove.finding import Report
from omnistack.prove.model import Model
from omnistack.prove.space import Cond, Conditions
from omnistack.template.catalog import CATALOG_DIR, QUESTIONS_FILE, Answer, Piece


def check_model(model: Model, report: Report) -> None:
    """Check the questions and the pieces against each other."""
    _check_questions(model, report)
    _check_presets(model, report)
    _check_order(model, report)
    for name in model.chosen.keys() - model.pieces.keys():
        report(
            QUESTIONS_FILE,
            _line(model, QUESTIONS_FILE, "chosen:"),
            f"chooses {name!r}, which is not a piece",
            model.valid,
        )
    for piece in model.pieces.values():
        _check_piece(model, piece, report)
        _check_requirements(model, piece, report)
    _check_offers(model, report)


def _catalog_file(piece: Piece) -> str:
    return f"{CATALOG_DIR}/{piece.name}.yml"


def _line(model: Model, file: str, start: str) -> int:
    lines = model.source.text(file).splitlines()
    return next((number for number, line in enumerate(lines, start=1) if line.startswith(start)), 1)


def _check_piece(model: Model, piece: Piece, report: Report) -> None:
    file, chosen, valid = _catalog_file(piece), model.chosen[piece.name], model.valid
    if chosen == model.space.nothing:
        report(file, 1, "cannot be chosen: no valid answers choose it", valid)
    if piece.always:
        report(file, _line(model, file, "always:"), "is `always`, but not chosen by every answer set", valid & ~chosen)
        asked = model.asked.get(piece.port or piece.name)
        if asked is not None and (piece.name if piece.port else True) in asked.question.values:
            report(file, _line(model, file, "always:"), "is `always`, but has a question", valid)
        if piece.owns:
            message = "is `always`, but owns words: every project has the piece, so they may appear anywhere"
            report(file, _line(model, file, "owns:"), message, valid)
        if piece.module is None:
            message = "is `always`, but has no module: let the pieces that need it require it"
            report(file, _line(model, file, "always:"), message, valid)
    elif chosen == valid:
        report(file, _line(model, file, "always:"), "is chosen by every answer set, but not `always`", valid)
    port = model.asked.get(piece.port) if piece.port else None
    if port is not None and piece.name not in port.question.values:
        report(file, _line(model, file, "port:"), f"is not a choice of {piece.port}", valid)
    reasons = model.wanted(piece) | (valid if piece.always else model.space.nothing)
    for other in model.pieces.values():
        if piece.name in other.requires:
            reasons = reasons | model.chosen[other.name]
    report(file, 1, "is chosen, but neither an answer nor another piece requires it", chosen & ~reasons)
    report(file, 1, "is selected by an answer, but not chosen", model.wanted(piece) & ~chosen)


def _check_offers(model: Model, report: Report) -> None:
    """Check that what is offered to the user's code can be chosen for its own sake: by a collection.

    A collection is a piece with a question that has no files and only requires others.
    """
    offered = [piece for piece in model.pieces.values() if piece.offers]
    collections = [name for name, piece in model.pieces.items() if not piece.paths and name in model.asked]
    reached = {name for collection in collections for name in _closure(model, collection)}
    for piece in offered:
        if piece.name not in reached:
            report(
                _catalog_file(piece),
                1,
                "offers code to users, but no collection, such as toolbox, requires it",
                model.valid,
            )


def _closure(model: Model, name: str) -> set[str]:
    found, pending = set[str](), [name]
    while pending:
        piece = model.pieces.get(pending.pop())
        if piece is not None and piece.name not in found:
            found.add(piece.name)
            pending.extend(piece.requires)
    return found


def _check_requirements(model: Model, piece: Piece, report: Report) -> None:
    file = _catalog_file(piece)
    for other in piece.requires:
        line = _line(model, file, "requires:")
        if other not in model.pieces:
            report(file, line, f"requires {other!r}, which is not a piece", model.valid)
            continue
        report(
            file, line, f"is chosen without {other}, which it requires", model.chosen[piece.name] & ~model.chosen[other]
        )
        refused = model.given(other, False)  # noqa: FBT003 - an answer
        report(
            file,
            line,
            f"is accepted although the answer to {other}, which it requires, is false",
            model.wanted(piece) & refused,
        )
    for other in piece.conflicts:
        if other not in model.pieces:
            report(
                file, _line(model, file, "conflicts:"), f"conflicts with {other!r}, which is not a piece", model.valid
            )
            continue
        both = model.chosen[piece.name] & model.chosen[other]
        report(
            file, _line(model, file, "conflicts:"), f"is accepted together with {other}, with which it conflicts", both
        )


def _check_questions(model: Model, report: Report) -> None:
    ports = {piece.port: set[Answer]() for piece in model.pieces.values() if piece.port}
    for piece in model.pieces.values():
        if piece.port:
            ports[piece.port].add(piece.name)
    asked = model.valid
    for name, question in model.asked.items():
        line = _line(model, QUESTIONS_FILE, f"{name}:")
        asked = asked & question.alone
        for value in question.question.values:
            if model.given(name, value) == model.space.nothing:
                report(
                    QUESTIONS_FILE,
                    line,
                    f"{name}={value} is in no valid answer set",
                    model.space.everything,
                )
            if name in ports and value not in ports[name] | {"none"}:
                report(
                    QUESTIONS_FILE,
                    line,
                    f"{name}={value} is offered, but no piece provides it",
                    model.given(name, value),
                )
        if question.question.type == "bool" and name not in model.pieces:
            report(QUESTIONS_FILE, line, f"{name} is asked, but no piece has that name", model.valid)
    one_by_one = model.space.everything
    for question in model.asked.values():
        one_by_one = one_by_one & question.alone
    report(
        QUESTIONS_FILE,
        1,
        "these answers are accepted one by one, but refused together: a validator reads a later answer",
        one_by_one & ~model.valid,
    )


def _check_presets(model: Model, report: Report) -> None:
    variable = model.space.variables.get("preset")
    for preset in variable.conditions if variable is not None else ():
        line = _line(model, QUESTIONS_FILE, "preset:")
        here = model.given("preset", preset)
        answers = model.preset_defaults(str(preset))
        cond = here
        for name, value in answers.items():
            options = model.space.variables[name].conditions
            if value not in options:
                report(
                    QUESTIONS_FILE,
                    line,
                    f"preset {preset} answers {name}={value!r}, which is not a choice",
                    model.valid,
                )
            cond = cond & options.get(value, model.space.nothing)
        if cond == model.space.nothing:
            report(QUESTIONS_FILE, line, f"preset {preset} is not valid: {answers}", model.space.everything)
        for name in model.space.variables.keys() - answers.keys():
            report(QUESTIONS_FILE, line, f"preset {preset} does not determine the answer to {name}", model.valid)
        for piece in model.pieces.values():
            _check_preset_piece(model, piece, str(preset), cond, report)


def _check_preset_piece(model: Model, piece: Piece, preset: str, cond: Cond, report: Report) -> None:
    wanted, file = model.wanted(piece), _catalog_file(piece)
    line = _line(model, file, "presets:")
    if wanted == model.space.nothing:
        if preset in piece.presets:
            report(file, line, f"is in preset {preset}, but has no question", model.valid)
        return
    if preset in piece.presets:
        report(file, line, f"is in preset {preset}, whose answers do not choose it", cond & ~wanted)
    else:
        report(file, line, f"is not in preset {preset}, whose answers choose it", cond & wanted)


def _check_order(model: Model, report: Report) -> None:
    """Check that each piece comes once, and after its requirements. `app/modules.py` has this order."""
    items = model.interpreter.algebra.items(model.names.get("chosen", []), model.valid)
    before = Conditions[str](model.space)
    for cond, name in items:
        piece = model.pieces.get(name)
        file = _catalog_file(piece) if piece else QUESTIONS_FILE
        report(file, 1, "is chosen twice", cond & before[name])
        for other in piece.requires if piece else ():
            late = cond & ~before[other]
            report(file, 1, f"is ordered before {other}, which it requires", late)
        before.add(name, cond)
