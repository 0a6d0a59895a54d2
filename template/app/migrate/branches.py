"""The branches of `migrations/versions`: the module and the dependencies of each revision."""

from collections.abc import Iterable, Iterator
from itertools import chain

from alembic.script import Script, ScriptDirectory

from app.kit.user_error import UserError

OWN = "app"
"""The branch of the project's own tables."""


class Branches:
    """The branches of a script directory. Each has the name of its module."""

    def __init__(self, scripts: ScriptDirectory) -> None:
        self._scripts = scripts
        self.revisions: tuple[Script, ...] = tuple(reversed(list(scripts.walk_revisions())))
        """All revisions, each after those that it depends on."""

    @property
    def names(self) -> list[str]:
        """The branches' names."""
        return sorted({self.name_of(revision) for revision in self.revisions})

    @property
    def ids(self) -> set[str]:
        """The ids of all revisions."""
        return {revision.revision for revision in self.revisions}

    def name_of(self, revision: Script) -> str:
        """Return the branch that a revision belongs to. The branch's first revision carries the label."""
        for script in self._ancestors(revision):
            labels = script._orig_branch_labels  # noqa: SLF001 - the public set has the descendants' labels too
            if labels:
                return str(min(labels))
        return OWN

    def line(self, name: str) -> list[Script]:
        """Return a branch's revisions, the oldest first."""
        return [revision for revision in self.revisions if self.name_of(revision) == name]

    def heads(self, name: str) -> list[Script]:
        """Return a branch's newest revisions: more than one after two people have worked on it at the same time."""
        line = self.line(name)
        replaced = {parent for revision in line for parent in as_tuple(revision.down_revision)}
        heads = [revision for revision in line if revision.revision not in replaced]
        return sorted(heads, key=lambda revision: str(revision.revision))

    def head(self, name: str) -> Script | None:
        """Return a branch's newest revision, or `None` if the branch has no revisions.

        Raises:
            UserError: it has more than one.
        """
        heads = self.heads(name)
        if len(heads) > 1:
            raise UserError(_split(name, heads))
        return heads[0] if heads else None

    def require_single_heads(self) -> None:
        """Refuse branches with more than one newest revision.

        Raises:
            UserError: names them.
        """
        for name in self.names:
            self.head(name)

    def descendants(self, revision: Script) -> list[Script]:
        """Return the revisions of the same branch that follow a revision, directly or not."""
        above = {revision.revision}
        found = []
        for script in self.line(self.name_of(revision)):
            if above.intersection(as_tuple(script.down_revision)):
                above.add(script.revision)
                found.append(script)
        return found

    def dependents(self, removed: Iterable[Script]) -> list[Script]:
        """Return the other revisions that depend on one of these, directly or not."""
        gone = {revision.revision for revision in removed}
        found = []
        for revision in self.revisions:
            if revision.revision not in gone and any(parent in gone for parent in self._parents(revision)):
                gone.add(revision.revision)
                found.append(revision)
        return found

    def foundations(self, revision: Script | None) -> set[str]:
        """Return the ids of all revisions that a revision depends on, and its own."""
        waiting, found = [revision.revision] if revision is not None else [], set[str]()
        while waiting:
            script = self._scripts.get_revision(waiting.pop())
            if script.revision not in found:
                found.add(script.revision)
                waiting.extend(self._parents(script))
        return found

    def applied(self, heads: Iterable[str]) -> set[str]:
        """Return the ids of the revisions that a database with these heads has."""
        given = set(heads)
        return {id_ for it in self.revisions if it.revision in given for id_ in self.foundations(it)}

    def redundant(self, heads: Iterable[str]) -> set[str]:
        """Return the heads that another one of them includes."""
        given = set(heads)
        known = [revision for revision in self.revisions if revision.revision in given]
        return {id_ for it in known for id_ in self.foundations(it) - {it.revision}} & given

    def _parents(self, revision: Script) -> Iterator[str]:
        """Return the ids of the revisions that a revision names as its parents, by id or by label."""
        for parent in chain(as_tuple(revision.down_revision), as_tuple(revision.dependencies)):
            yield self._scripts.get_revision(parent).revision

    def _ancestors(self, revision: Script) -> Iterator[Script]:
        """Yield a revision and its ancestors within the branch, each once."""
        waiting, seen = [revision], set[str]()
        while waiting:
            script = waiting.pop()
            if script.revision not in seen:
                seen.add(script.revision)
                yield script
                waiting.extend(self._scripts.get_revision(parent) for parent in as_tuple(script.down_revision))


def as_tuple(value: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return a value of Alembic, which may be `None`, one item or many, as a tuple."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def _split(name: str, heads: list[Script]) -> str:
    listed = "\n".join(f"  {head.revision} ({head.doc})" for head in heads)
    return (
        f"The branch {name} has {len(heads)} newest revisions, usually because two people have added one:\n{listed}\n"
        f"Join them with a merge revision and commit it: app db merge{'' if name == OWN else f' --module {name}'}\n"
        "(Don't change `down_revision` of a revision that a database may have.)"
    )
