"""What the files in `migrations/versions` say: which revision belongs to whom, and what stands on what."""

from collections.abc import Iterable, Iterator
from itertools import chain

from alembic.script import Script, ScriptDirectory

from app.kit.user_error import UserError

OWN = "app"
"""The branch of the project's own tables."""


class Branches:
    """The branches of a script directory. Each has the name of its module, and is a line."""

    def __init__(self, scripts: ScriptDirectory) -> None:
        self._scripts = scripts
        self.revisions: tuple[Script, ...] = tuple(reversed(list(scripts.walk_revisions())))
        """All revisions, each after those that it stands on."""

    @property
    def names(self) -> list[str]:
        """The branches' names."""
        return sorted({self.name_of(revision) for revision in self.revisions})

    def name_of(self, revision: Script) -> str:
        """The branch that a revision belongs to; its first revision carries the label."""
        for script in self._line(revision):
            labels = script._orig_branch_labels  # noqa: SLF001 - the public set has the descendants' labels too
            if labels:
                return str(min(labels))
        return OWN

    def line(self, name: str) -> list[Script]:
        """A branch's revisions, the oldest first."""
        return [revision for revision in self.revisions if self.name_of(revision) == name]

    def head(self, name: str) -> Script | None:
        """A branch's newest revision.

        Raises:
            UserError: there are two, as after merging the work of two people.
        """
        line = self.line(name)
        replaced = {parent for revision in line for parent in as_tuple(revision.down_revision)}
        heads = [revision for revision in line if revision.revision not in replaced]
        if len(heads) > 1:
            ids = " and ".join(sorted(revision.revision for revision in heads))
            raise UserError(
                f"{name} has two newest revisions, {ids}. Let one follow the other: in its file, write the other's id "
                "as `down_revision`."
            )
        return heads[0] if heads else None

    def dependents(self, removed: Iterable[Script]) -> list[Script]:
        """The revisions of other branches that stand on one of these."""
        gone = {revision.revision for revision in removed}
        found = []
        for revision in self.revisions:
            if revision.revision not in gone and any(parent in gone for parent in self._parents(revision)):
                gone.add(revision.revision)
                found.append(revision)
        return found

    def foundations(self, revision: Script | None) -> set[str]:
        """The ids of all that a revision stands on, itself included."""
        waiting, found = [revision.revision] if revision is not None else [], set[str]()
        while waiting:
            script = self._scripts.get_revision(waiting.pop())
            if script.revision not in found:
                found.add(script.revision)
                waiting.extend(self._parents(script))
        return found

    def _parents(self, revision: Script) -> Iterator[str]:
        """The ids of what a revision names as standing before it, be it by id or by label."""
        for parent in chain(as_tuple(revision.down_revision), as_tuple(revision.dependencies)):
            yield self._scripts.get_revision(parent).revision

    def _line(self, revision: Script) -> Iterator[Script]:
        """A revision and its ancestors within the branch."""
        yield revision
        for parent in as_tuple(revision.down_revision):
            yield from self._line(self._scripts.get_revision(parent))


def as_tuple(value: str | Iterable[str] | None) -> tuple[str, ...]:
    """What Alembic gives as nothing, one or many."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)
