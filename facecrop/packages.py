"""Packages that only some features need: what to install, and which version is installed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path

from facecrop.errors import MissingPackageError


@contextmanager
def importing(feature: str, requirement: str) -> Iterator[None]:
    """Say what to install where an import inside the block fails.

    Args:
        feature: What needs the package; the message begins with it.
        requirement: What pip is to install, such as `emonet[log]`.

    Raises:
        MissingPackageError: An import failed, because the package is missing or broken.
    """
    try:
        yield
    except ImportError as error:
        if (error.name or "").partition(".")[0] in ("emonet", "facecrop"):
            raise  # a mistake in our own modules, such as two that import each other
        raise MissingPackageError(
            f'{feature} needs a package that cannot be imported ({error}): pip install "{requirement}"'
        ) from error


def import_packages(feature: str, requirement: str, *modules: str) -> None:
    """Import modules that are used later: before work that would be lost if one is missing or broken.

    Args:
        feature: What needs the modules; the message begins with it.
        requirement: What pip is to install.
        modules: Their names.

    Raises:
        MissingPackageError: At least one cannot be imported.
    """
    with importing(feature, requirement):
        for name in modules:
            import_module(name)


def check_installed(feature: str, requirement: str, modules: Iterable[str]) -> None:
    """Say what to install where a module is missing, without importing any: before work that would be lost.

    Args:
        feature: What needs the modules; the message begins with it.
        requirement: What pip is to install.
        modules: Their names.

    Raises:
        MissingPackageError: At least one is missing.
    """
    if missing := [name for name in modules if find_spec(name) is None]:
        raise MissingPackageError(f'{feature} needs {", ".join(missing)}: pip install "{requirement}"')


def find_data(feature: str, requirement: str, package: str, *parts: str) -> Path:
    """Find a file or folder in an installed package, none of whose code is run.

    Args:
        feature: What needs it; the message begins with it.
        requirement: What pip is to install.
        package: The package that it lies in.
        parts: Where it lies there.

    Raises:
        MissingPackageError: The package is not installed, or does not hold it.
    """
    found = find_spec(package)
    with importing(feature, requirement):
        if found is None or not found.submodule_search_locations:
            raise ModuleNotFoundError(f"No module named {package!r}")
        path = Path(found.submodule_search_locations[0], *parts)
        if not path.exists():
            raise ModuleNotFoundError(f"the installed {package!r} has no {'/'.join(parts)}")
    return path


def installed_version(package: str) -> str | None:
    """Return the version of an installed package, None if it is missing."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
