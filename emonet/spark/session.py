"""Open a Spark session whose messages go to a file, and which ends with its block."""

from __future__ import annotations

import atexit
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from emonet.errors import MachineError, OptionError
from emonet.spark.needs import check_needs, list_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SETTINGS = {
    "spark.app.name": "emonet",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "WARN",
    "spark.sql.catalogImplementation": "in-memory",  # not Hive, which takes long to start
    "spark.python.worker.faulthandler.enabled": "true",  # the log says where a process was when it was killed
}


@contextmanager
def open_session(
    feature: str, master: str = "local[*]", settings: Mapping[str, str] | None = None
) -> Iterator[SparkSession]:
    """Open a Spark session, or use the one of a program that has one, and close it only in the first case.

    Args:
        feature: What needs Spark; messages begin with it.
        master: Where the work is done: local[N], spark://HOST:PORT, yarn, or k8s://https://HOST:PORT.
        settings: Of Spark, such as spark.executor.memory.

    Yields:
        The session.

    Raises:
        OptionError: The master or a setting is none.
        MissingPackageError: PySpark is missing.
        MachineError: Java is missing or too old, or Spark does not start.
    """
    check_needs(feature, master)
    if wrong := [name for name in settings or {} if not name.startswith("spark.")]:
        raise OptionError(f"settings of Spark begin with spark., got {', '.join(wrong)}")
    from pyspark.sql import SparkSession

    there = SparkSession.getActiveSession()
    if there is not None:
        yield there
        return
    session = _start(feature, {**SETTINGS, **list_settings(master), **(settings or {})})
    try:
        yield session
    finally:
        session.stop()


def _start(feature: str, settings: Mapping[str, str]) -> SparkSession:
    from py4j.protocol import Py4JError
    from pyspark.conf import SparkConf
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # executors find the packages that this process has
    conf = SparkConf().setAll(list(settings.items()))
    log = Path(tempfile.gettempdir()) / f"emonet-spark-{os.getpid()}.log"
    try:
        with _errors_to(log):
            session = SparkSession.builder.config(conf=conf).getOrCreate()
    except (Py4JError, PySparkException, OSError, RuntimeError) as error:
        raise MachineError(f"{feature}: Spark does not start: {last_line(error)}; its log is {log}") from error
    atexit.register(_remove, log)  # Java writes to it until this process ends
    return session


def _remove(log: Path) -> None:
    with suppress(OSError):  # on Windows it may still be open
        log.unlink()


@contextmanager
def _errors_to(log: Path) -> Iterator[None]:
    """Let the Java process that is started in the block write its messages to a file."""
    kept = os.dup(2)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def last_line(error: BaseException) -> str:
    """Return the line of a long message of Spark that says what happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if "Exception" in line or ("Error" in line and not line.startswith("at "))]
    return (told or lines or [type(error).__name__])[-1]


def as_url(path: Path) -> str:
    """Return a path as Spark writes to it, whatever its default file system is."""
    return f"file:{path.resolve().as_posix()}"


def as_pattern(url: str) -> str:
    """Return a URL as Spark reads it, which takes paths for patterns."""
    return re.sub(r"([\\{}\[\]*?])", r"\\\1", url)
