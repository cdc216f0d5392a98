"""Find out before work begins whether every machine sees the data and the output, and has the same packages."""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from emonet.errors import MachineError
from emonet.spark.tasks import collect
from facecrop.packages import installed_version

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

LOOKS = 2  # for each core: Spark chooses who looks, and each machine should


def check_machines(session: SparkSession, folder: Path, inputs: Sequence[str], packages: Sequence[str]) -> None:
    """Let the executors look for the folder, the inputs and the packages.

    Args:
        session: Whose executors look.
        folder: Where all machines are to write; it exists.
        inputs: Files and folders that all machines are to read.
        packages: Names of packages that are to have the same version everywhere.

    Raises:
        MachineError: A machine does not see something, or has another version.
    """
    sign = folder.resolve() / f"{uuid4().hex}.sign"
    versions = {name: installed_version(name) for name in packages} | {"python": platform.python_version()}
    sign.write_text("", encoding="utf-8")
    try:
        looks = LOOKS * session.sparkContext.defaultParallelism
        frame = session.range(0, looks, 1, looks)
        found = collect(frame.mapInArrow(partial(_look, sign, list(inputs), versions), "host string, trouble string"))
    finally:
        sign.unlink()
    for row in found.to_pylist():
        if row["trouble"]:
            raise MachineError(f"{row['host']}, on which Spark works, {row['trouble']}")


def _look(
    sign: Path, inputs: list[str], versions: Mapping[str, str | None], batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    for _ in batches:
        trouble = _find_trouble(sign, inputs, versions)
        yield pa.RecordBatch.from_pydict({"host": [socket.gethostname()], "trouble": [trouble]})


def _find_trouble(sign: Path, inputs: list[str], versions: Mapping[str, str | None]) -> str:
    if not sign.exists():
        return f"does not see {sign.parent.parent}: write to a disk that all machines share under one path"
    if not os.access(sign.parent, os.W_OK):
        return f"may not write to {sign.parent.parent}"
    for path in inputs:
        if not Path(path).exists():
            return f"does not see {path}: give the absolute path of a disk that all machines share"
    for name, version in versions.items():
        here = platform.python_version() if name == "python" else installed_version(name)
        if here != version:
            return f"has {name} {here}, and the driver {version}: install the same on all"
    return ""
