"""Packages whose names are imported when they are first used."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any


def import_when_used(
    package: str, names: Mapping[str, Sequence[str]], feature: str = "", requirement: str = ""
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Make the `__getattr__` and `__dir__` of a package whose names are imported when they are first used.

    So `import emonet` stays cheap, and a command that shows its help imports little. Modules of the package are
    imported in the same way.

    Args:
        package: The `__name__` of the package; its `__all__` is what `dir` lists.
        names: Module of the package -> the public names that come from it.
        feature: What needs packages that may be missing; the message begins with it. Empty if nothing is missing.
        requirement: What pip is to install if they are missing.
    """
    modules = {name: module for module, its_names in names.items() for name in its_names}

    def get_attribute(name: str) -> Any:
        if name not in modules and (name.startswith("_") or "." in name or find_spec(f"{package}.{name}") is None):
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = _import(f"{package}.{modules.get(name, name)}", feature, requirement)
        return getattr(module, name) if name in modules else module

    return get_attribute, lambda: list(sys.modules[package].__all__)


def _import(module: str, feature: str, requirement: str) -> ModuleType:
    if not feature:
        return import_module(module)
    from facecrop.packages import importing  # numpy comes with it, which `import emonet` does without

    with importing(feature, requirement):
        return import_module(module)
