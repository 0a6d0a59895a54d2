"""Rendering a project onto the disk, through Copier's public API."""

import warnings
from collections.abc import Mapping
from pathlib import Path

from omnistack.shell.errors import OmniError
from omnistack.template.catalog import Answer
from omnistack.template.source import Template


def copy_template(template: Template, answers: Mapping[str, Answer], folder: Path) -> None:
    """Render a whole set of answers into a new folder, at the template's commit."""
    import copier
    from copier.errors import CopierError
    from jinja2 import TemplateError

    try:
        with warnings.catch_warnings(action="ignore"):
            copier.run_copy(
                template.source, folder, data=dict(answers), vcs_ref=template.commit, defaults=True, quiet=True
            )
    except TemplateError as error:
        where = getattr(error, "filename", None) or "the template"
        raise OmniError(f"{where} cannot be rendered: {error}", "try another version with --vcs-ref") from error
    except (CopierError, ValueError) as error:
        raise OmniError(f"Copier refused to render: {error}") from error


def rendered_files(folder: Path) -> list[Path]:
    """List a rendered project's files, relative and sorted; git's own and environments are left out."""
    return sorted(
        path.relative_to(folder)
        for path in folder.rglob("*")
        if not path.is_dir() and not {".git", ".venv"} & set(path.relative_to(folder).parts)
    )
