"""The questions, asked in a terminal: texts, then one choice a port, then one list of all that is on or off."""

from collections.abc import Mapping

import questionary

from omnistack.template.answers import Questionnaire
from omnistack.template.catalog import Answer, Question

type Answers = dict[str, Answer]

ON = True
KINDS = {"module": "Modules", "provider": "Providers", "infrastructure": "Infrastructure", "deploy": "Deployment"}


def ask(questionnaire: Questionnaire, given: Mapping[str, Answer], suggested: Mapping[str, str]) -> Answers:
    """Ask all that is not given and that a preset leaves open. `suggested` replaces a question's default."""
    answers: Answers = dict(given)
    switches: list[Question] = []
    for question in questionnaire.catalog.questions.values():
        if question.name in given or not questionnaire.is_asked(question.name, answers):
            continue
        if question.type == "bool":
            switches.append(question)
        elif question.choices:
            answers[question.name] = _ask_choice(questionnaire, question, answers)
        else:
            answers[question.name] = _ask_text(questionnaire, question, answers, suggested.get(question.name))
    if switches:
        answers.update(_ask_switches(questionnaire, switches, answers))
    return answers


def confirm(message: str) -> bool:
    """Ask for yes or no; Enter means yes."""
    return bool(questionary.confirm(message, default=True).unsafe_ask())


def _ask_text(questionnaire: Questionnaire, question: Question, answers: Answers, suggested: str | None) -> str:
    default = suggested or str(questionnaire.default(question.name, answers))

    def validate(text: str) -> bool | str:
        return questionnaire.problem(question.name, text, answers) or True

    message = questionnaire.help(question.name, answers)
    return str(questionary.text(message, default=default, validate=validate).unsafe_ask())


def _ask_choice(questionnaire: Questionnaire, question: Question, answers: Answers) -> str:
    default = questionnaire.default(question.name, answers)
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


def _ask_switches(questionnaire: Questionnaire, switches: list[Question], answers: Answers) -> Answers:
    """Show one list of all that can be on or off; what lacks a requirement is grey and says which."""
    boxes = {question.name: _box(questionnaire, question, answers) for question in switches}
    names = list(boxes)

    def refresh(selected: list[str]) -> bool | str:
        """Grey out by what is ticked now. Questionary calls this after each key that changes the list."""
        ticked = answers | {name: name in selected for name in names}
        problems = {name: questionnaire.problem(name, ON, ticked) for name in names}
        for name, box in boxes.items():
            # One that is ticked stays within reach, so that it can be unticked.
            box.disabled = None if name in selected else problems[name]
        return next((problem for name, problem in problems.items() if name in selected and problem), True)

    refresh([name for name, box in boxes.items() if box.checked])
    if all(box.disabled for box in boxes.values()):
        return dict.fromkeys(names, False)
    prompt = questionary.checkbox(
        "What else should it have?",
        _grouped(questionnaire, boxes),
        validate=refresh,
        instruction="(arrows move, space ticks, enter is done)",
    )
    selected = prompt.unsafe_ask()
    return {name: name in selected for name in names}


def _box(questionnaire: Questionnaire, question: Question, answers: Answers) -> questionary.Choice:
    checked = questionnaire.default(question.name, answers) is True
    return questionary.Choice(question.help, value=question.name, checked=checked)


def _grouped(questionnaire: Questionnaire, boxes: Mapping[str, questionary.Choice]) -> list[questionary.Choice]:
    groups: dict[str, list[questionary.Choice]] = {title: [] for title in KINDS.values()}
    for name, box in boxes.items():
        kind = questionnaire.catalog.piece(name).kind if name in questionnaire.catalog else "module"
        groups[KINDS[kind]].append(box)
    filled = {title: group for title, group in groups.items() if group}
    if len(filled) == 1:
        return list(boxes.values())
    return [item for title, group in filled.items() for item in (questionary.Separator(f"— {title}"), *group)]
