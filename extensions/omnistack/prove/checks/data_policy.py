"""Data policy: exports and erasure cover every table about users, and soft-deleted rows are eventually deleted."""

from collections.abc import Iterator

from omnistack.prove.checks.manifest import listed_in_manifests
from omnistack.prove.code import Code, Module, in_module
from omnistack.prove.facts import Call, Class
from omnistack.prove.finding import Report
from omnistack.prove.space import Conditions

USERS = "users.id"
FIELDS = {"PersonalData": "personal_data", "RetentionRule": "retention", "ReportMetric": "report_metrics"}
"""The manifest field of each kind of value."""


def check_data_policy(code: Code, report: Report) -> None:
    """Check that every table with a path to users, or with soft-deleted rows, has its data policy."""
    named = {kind: _named(code, kind) for kind in FIELDS}
    for module, each in _tables(code):
        here, line = module.at(each.lines), module.file.where(each.lines[-1])
        key = (module.name, each.name)
        if _leads_to_users(module, each):
            message = f"{each.name} has a path to users, but no PersonalData names it"
            report(module.file.source, line, message, here & ~named["PersonalData"][key])
        if "SoftDelete" in {base.rpartition(".")[2] for base in each.bases}:
            message = f"{each.name} has soft-deleted rows, but no RetentionRule names it: they would never be deleted"
            report(module.file.source, line, message, here & ~named["RetentionRule"][key])
    for kind, field in FIELDS.items():
        in_manifests = listed_in_manifests(code, field)
        for module, call in _values(code, kind):
            # A value inside the manifest itself is listed by definition.
            if call.owner and not module.name.endswith(".module"):
                there = in_manifests[(module.name, call.owner)]
                line = module.file.where(call.lines[-1])
                message = f"{call.owner} is in no manifest's `{field}`"
                report(module.file.source, line, message, module.at(call.lines) & ~there)


def _tables(code: Code) -> Iterator[tuple[Module, Class]]:
    for module in filter(in_module, code):
        yield from ((module, each) for each in module.facts.classes if "table=True" in each.keywords)


def _leads_to_users(module: Module, table: Class) -> bool:
    for call in module.facts.calls:
        if call.owner == table.name:
            fields = [texts for name, texts in call.keyword_texts if name == "foreign_key"]
            keys = [call.texts] if call.function.rpartition(".")[2] in {"ForeignKey", "ForeignKeyConstraint"} else []
            if any(USERS in texts for texts in (*fields, *keys)):
                return True
    return False


def _values(code: Code, kind: str) -> Iterator[tuple[Module, Call]]:
    yield from ((module, call) for module, call in code.calls(kind) if in_module(module))


def _named(code: Code, kind: str) -> Conditions[tuple[str, str]]:
    """Return the tables that values of one kind name, with their conditions."""
    found = Conditions[tuple[str, str]](code.space)
    for module, call in _values(code, kind):
        for name in call.refers("model"):
            key = code.resolve(module, name)
            found.add(key, module.at(call.lines))
    return found
