"""Look at folders and files of any file system that Spark knows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def list_names(session: SparkSession, place: str) -> set[str]:
    """List the names in a folder; none if there is no such folder, and its own for a file."""
    system, path = _find(session, place)
    return {status.getPath().getName() for status in system.listStatus(path)} if system.exists(path) else set()


def is_file(session: SparkSession, place: str) -> bool:
    """Tell whether a path is that of a file."""
    system, path = _find(session, place)
    return bool(system.exists(path) and system.getFileStatus(path).isFile())


def overlap(session: SparkSession, one: str, other: str) -> bool:
    """Tell whether two folders are the same, or one lies in the other; links on this machine are followed."""
    first, second = (f"{_resolve(session, place).rstrip('/')}/" for place in (one, other))
    return first.startswith(second) or second.startswith(first)


def _resolve(session: SparkSession, place: str) -> str:
    system, path = _find(session, place)
    url = str(system.makeQualified(path).toString())
    return Path(url.removeprefix("file:")).resolve().as_posix() if url.startswith("file:") else url


def _find(session: SparkSession, place: str) -> tuple[Any, Any]:
    """Return the file system of a place, and its path there."""
    jvm: Any = session._jvm  # Spark offers no other way to its file systems
    path = jvm.org.apache.hadoop.fs.Path(place)
    return path.getFileSystem(session._jsc.hadoopConfiguration()), path
