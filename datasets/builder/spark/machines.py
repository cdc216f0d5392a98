"""Find out before work begins whether every machine sees the data and the output, and has the same packages."""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from emonet.errors import MachineError
from emonet.spark.tasks import compute
from facecrop.packages import installed_version

if TYPE_CHECKING:
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
        numbers = session.sparkContext.parallelize(range(looks), looks)
        found = compute(session, numbers.map(partial(_look, sign, inputs, versions)).collect)
    finally:
        sign.unlink()
    for host, trouble in found:
        if trouble:
            raise MachineError(f"{host}, on which Spark works, {trouble}")


def _look(sign: Path, inputs: Sequence[str], versions: Mapping[str, str | None], _number: int) -> tuple[str, str]:
    return socket.gethostname(), _find_trouble(sign, inputs, versions)


def _find_trouble(sign: Path, inputs: Sequence[str], versions: Mapping[str, str | None]) -> str:
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
