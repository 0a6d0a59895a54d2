"""The questions in a terminal: texts, a preset that fills in the rest, and changes to single answers."""

from collections.abc import Mapping, Sequence

import questionary

from omnistack.shell.terminal import discard_typed_ahead
from omnistack.template.answers import Questionnaire
from omnistack.template.catalog import Answer, Question

type Answers = dict[str, Answer]

ON = True
CONTINUE = "continue"
SWITCHES = "switches"
GROUPS = {"module": "Modules", "provider": "Providers", "infrastructure": "Infrastructure", "deploy": "Deployment"}


def ask(questionnaire: Questionnaire, given: Mapping[str, Answer], suggested: Mapping[str, str]) -> Answers:
    """Ask every question that is not given, and offer to change the answers of a preset.

    `suggested` replaces the default of a text.
    """
    answers: Answers = dict(given)
    switches: list[Question] = []
    filled_in: list[Question] = []
    for question in questionnaire.catalog.questions.values():
        if question.name in given:
            continue
        if not questionnaire.is_asked(question.name, answers):
            answers[question.name] = questionnaire.default(question.name, answers)
            filled_in.append(question)
        elif question.type == "bool":
            switches.append(question)
        elif question.choices:
            answers[question.name] = _ask_choice(questionnaire, question, answers)
        else:
            answers[question.name] = _ask_text(questionnaire, question, answers, suggested.get(question.name))
    if switches:
        answers.update(_ask_switches(questionnaire, switches, answers))
    return _ask_changes(questionnaire, filled_in, answers) if filled_in else answers


def confirm(message: str) -> bool:
    """Ask for yes or no; Enter means yes."""
    discard_typed_ahead()
    return bool(questionary.confirm(message, default=True).unsafe_ask())


def _ask_changes(questionnaire: Questionnaire, questions: Sequence[Question], answers: Answers) -> Answers:
    """Offer to change single answers, until no more are to be changed."""
    by_name = {question.name: question for question in questions if question.choices}
    switches = [question for question in questions if question.type == "bool"]
    while True:
        choices = [questionary.Choice("No, continue", value=CONTINUE)]
        for name, question in by_name.items():
            choices.append(questionary.Choice(f"{_title(question)}: {_label(question, answers)}", value=name))
        if switches:
            chosen = ", ".join(
                questionnaire.catalog.piece(question.name).label
                for question in switches
                if answers[question.name] is True
            )
            choices.append(questionary.Choice(f"Modules and infrastructure: {chosen or 'none'}", value=SWITCHES))
        selected = questionary.select("Change something?", choices).unsafe_ask()
        if selected == CONTINUE:
            return answers
        if selected == SWITCHES:
            answers = answers | _ask_switches(questionnaire, switches, answers)
        else:
            answers = answers | {selected: _ask_choice(questionnaire, by_name[selected], answers)}


def _title(question: Question) -> str:
    """Return a question without its explanation in brackets."""
    return question.help.partition(" (")[0]


def _label(question: Question, answers: Answers) -> str:
    return next(choice.label for choice in question.choices if choice.value == answers[question.name])


def _ask_text(questionnaire: Questionnaire, question: Question, answers: Answers, suggested: str | None) -> str:
    default = suggested or str(questionnaire.default(question.name, answers))

    def validate(text: str) -> bool | str:
        return questionnaire.problem(question.name, text, answers) or True

    message = questionnaire.help(question.name, answers)
    return str(questionary.text(message, default=default, validate=validate).unsafe_ask())


def _ask_choice(questionnaire: Questionnaire, question: Question, answers: Answers) -> str:
    default = answers.get(question.name) or questionnaire.default(question.name, answers)
    choices = [
        questionary.Choice(
            choice.label,
            value=choice.value,
            disabled=questionnaire.problem(question.name, choice.value, answers),
        )
        for choice in question.choices
    ]
    selected = next((choice for choice in choices if choice.value == default and not choice.disabled), None)
    message = questionnaire.help(question.name, answers)
    return str(questionary.select(message, choices, default=selected).unsafe_ask())


def _ask_switches(questionnaire: Questionnaire, switches: Sequence[Question], answers: Answers) -> Answers:
    """Show one list of all yes-or-no questions; one that lacks a requirement is disabled and names it."""
    boxes = {question.name: _box(questionnaire, question, answers) for question in switches}
    names = list(boxes)

    def refresh(selected: list[str]) -> bool | str:
        """Disable boxes by what is selected now. Questionary calls this after each key that changes the list."""
        ticked = answers | {name: name in selected for name in names}
        problems = {name: questionnaire.problem(name, ON, ticked) for name in names}
        for name, box in boxes.items():
            # A selected box stays enabled, so that it can be deselected.
            box.disabled = None if name in selected else problems[name]
        return next((problem for name, problem in problems.items() if name in selected and problem), True)

    refresh([name for name, box in boxes.items() if box.checked])
    if all(box.disabled for box in boxes.values()):
        return dict.fromkeys(names, False)
    prompt = questionary.checkbox(
        "Modules and infrastructure",
        _grouped(questionnaire, boxes),
        validate=refresh,
        instruction="(arrow keys to move, space to select, Enter to continue)",
    )
    selected = prompt.unsafe_ask()
    return {name: name in selected for name in names}


def _box(questionnaire: Questionnaire, question: Question, answers: Answers) -> questionary.Choice:
    current = answers.get(question.name, questionnaire.default(question.name, answers))
    return questionary.Choice(question.help, value=question.name, checked=current is True)


def _grouped(questionnaire: Questionnaire, boxes: Mapping[str, questionary.Choice]) -> list[questionary.Choice]:
    groups: dict[str, list[questionary.Choice]] = {title: [] for title in GROUPS.values()}
    for name, box in boxes.items():
        kind = questionnaire.catalog.piece(name).kind if name in questionnaire.catalog else "module"
        groups[GROUPS[kind]].append(box)
    filled = {title: group for title, group in groups.items() if group}
    if len(filled) == 1:
        return list(boxes.values())
    return [item for title, group in filled.items() for item in (questionary.Separator(f"— {title}"), *group)]
