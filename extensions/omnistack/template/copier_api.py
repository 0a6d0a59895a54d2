"""Copier's private API, imported here and nowhere else.

Copier offers no public way to evaluate a questionnaire, to render in memory, or to update from a template that is
already cloned. Its version is pinned in `pyproject.toml`, and tests compare the results with its public functions: to
change to a new version of Copier, adapt this module and run them.
"""

from functools import cached_property
from typing import Any

from copier._jinja_ext import SandboxedEnvironment, UnsetError, get_yield_context
from copier._main import Worker, _pathspec_pattern, as_operation
from copier._settings import SettingsModel
from copier._subproject import Subproject
from copier._template import Template as CopierTemplate
from copier._tools import cast_to_bool, scantree
from copier._types import MISSING, Phase
from copier._user_data import AnswersMap, Question
from copier._vcs import get_repo

from omnistack.template.yaml_loader import load_configuration

__all__ = [
    "MISSING",
    "PATHSPEC_PATTERN",
    "AnswersMap",
    "CopierTemplate",
    "FolderTemplate",
    "Phase",
    "Question",
    "QuickTemplate",
    "SandboxedEnvironment",
    "SettingsModel",
    "Subproject",
    "UnsetError",
    "Worker",
    "as_operation",
    "cast_to_bool",
    "get_repo",
    "get_yield_context",
    "scantree",
]

PATHSPEC_PATTERN: str = _pathspec_pattern
"""The pattern style of the library pathspec by which Copier reads `_exclude`."""


class QuickTemplate(CopierTemplate):
    """A template whose questions and catalog are read by libyaml."""

    @cached_property
    def _raw_config(self) -> dict[str, Any]:
        files = list(self.local_abspath.glob("copier.y*ml"))
        loaded = load_configuration(files[0]) if len(files) == 1 else None
        return super()._raw_config if loaded is None else loaded


class FolderTemplate(QuickTemplate):
    """A template that is read from a folder: no clone, no version."""

    @cached_property
    def vcs(self) -> None:
        """No version control."""
        return None
