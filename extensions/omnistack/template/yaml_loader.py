"""The safe YAML loader of libyaml, which takes a tenth of the time of the one in Python.

A command reads the catalog several times: once for itself, and once for each version of the template that Copier opens.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from yaml import SafeLoader
else:
    try:
        from yaml import CSafeLoader as SafeLoader
    except ImportError:  # PyYAML was built without libyaml
        from yaml import SafeLoader

__all__ = ["SafeLoader", "load_configuration", "load_yaml"]


def load_yaml(text: str | bytes) -> Any:  # noqa: ANN401 - any document
    """Load one document, as `yaml.safe_load` does."""
    return yaml.load(text, Loader=SafeLoader)


def load_configuration(file: Path) -> dict[str, Any] | None:
    """Load a `copier.yml` of one document as Copier does, with the files that it includes.

    Returns None for everything else, and for a file with an error: Copier's own function then loads it, and reports the
    error.
    """
    root = file.parent.resolve()

    class Loader(SafeLoader):
        pass

    def include(loader: SafeLoader, node: yaml.Node) -> list[Any]:
        if not isinstance(node, yaml.ScalarNode):
            raise yaml.YAMLError("!include needs a pattern")
        included = [path.resolve() for path in root.glob(str(loader.construct_scalar(node)))]
        if not all(path.is_relative_to(root) for path in included):
            raise yaml.YAMLError("an included file is outside of the template")
        return [load_yaml(path.read_bytes()) for path in included]

    Loader.add_constructor("!include", include)
    try:
        document = yaml.load(file.read_bytes(), Loader=Loader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, OSError, NotImplementedError, ValueError):
        return None
    return document if isinstance(document, dict) else None
