"""Projects rendered with Copier's public API."""

from collections.abc import Mapping
from pathlib import Path

from omnistack.shell.errors import OmniError
from omnistack.template.catalog import Answer
from omnistack.template.project import ANSWERS_FILE, record_source
from omnistack.template.source import Template


def copy_template(template: Template, answers: Mapping[str, Answer], folder: Path) -> None:
    """Render a complete set of answers into a new folder, from the template's commit."""
    import copier
    from copier.errors import CopierError
    from jinja2 import TemplateError

    from omnistack.template.copier_update import isolated_git

    try:
        with isolated_git():
            copier.run_copy(
                str(template.root), folder, data=dict(answers), vcs_ref=template.commit, defaults=True, quiet=True
            )
    except TemplateError as error:
        where = getattr(error, "filename", None) or "the template"
        raise OmniError(f"{where} cannot be rendered: {error}", "try another version with --vcs-ref") from error
    except (CopierError, ValueError) as error:
        raise OmniError(f"Copier could not render the project: {error}") from error
    record_source(folder / ANSWERS_FILE, template.recorded_source)


def rendered_files(folder: Path) -> list[Path]:
    """List a rendered project's files, relative and sorted, without those of git and of environments."""
    return sorted(
        path.relative_to(folder)
        for path in folder.rglob("*")
        if not path.is_dir() and not {".git", ".venv"} & set(path.relative_to(folder).parts)
    )
