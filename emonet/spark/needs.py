"""Check what Spark needs before it is started: it would fail minutes later, in a hundred lines of Java."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from emonet.errors import MachineError, OptionError
from facecrop.packages import check_installed

JAVA = 17  # the oldest that Spark 4 runs on
PATIENCE = 5.0  # seconds that a master has to answer
LOCAL = re.compile(r"local(\[(\d+|\*)(,\d+)?\])?")
MASTERS = "local[N], spark://HOST:PORT, yarn, or k8s://https://HOST:PORT"
PORTS = {"spark": 7077, "https": 443, "http": 80}
ATTEMPTS = 4  # at a task, as Spark makes them on a cluster


def check_needs(feature: str, master: str) -> None:
    """Refuse to start Spark where it cannot run.

    Args:
        feature: What needs Spark; messages begin with it.
        master: Where the work is to be done.

    Raises:
        OptionError: The master is none.
        MissingPackageError: PySpark is missing.
        MachineError: Java is missing or too old, or the master cannot be reached.
    """
    address = _find_address(master)
    check_installed(feature, "emonet[spark]", ("pyspark", "pyarrow", "pandas"))
    _check_java(feature)
    if address is not None:
        _check_reachable(master, address)


def list_settings(master: str) -> dict[str, str]:
    """List the settings of a session that depend on its master; local ones are to be found by nobody else."""
    found = LOCAL.fullmatch(master)
    if found is None:
        return {"spark.master": master}
    threads = found[2] or "1"
    return {
        "spark.master": f"local[{threads}{found[3] or f',{ATTEMPTS}'}]",  # else a task has one attempt
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",  # Java only hands bytes on
    }


def _find_address(master: str) -> tuple[str, int] | None:
    """Find the host and port of a master; None if it has none of its own."""
    if LOCAL.fullmatch(master):
        return None
    if master == "yarn":
        if not any(os.environ.get(name) for name in ("HADOOP_CONF_DIR", "YARN_CONF_DIR")):
            raise OptionError("the master yarn is found by HADOOP_CONF_DIR or YARN_CONF_DIR: set one of them")
        return None
    parts = urlsplit(master.removeprefix("k8s://").split(",")[0])
    if not master.startswith(("spark://", "k8s://http")) or not parts.hostname:
        raise OptionError(f"master must be {MASTERS}, got {master!r}")
    try:
        return parts.hostname, parts.port or PORTS[parts.scheme]
    except ValueError as error:  # of the port
        raise OptionError(f"master must be {MASTERS}, got {master!r}") from error


def _check_reachable(master: str, address: tuple[str, int]) -> None:
    try:
        socket.create_connection(address, PATIENCE).close()
    except OSError as error:
        raise MachineError(f"the Spark master {master} cannot be reached: {error.strerror or error}") from error


def _check_java(feature: str) -> None:
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    wanted = f"{feature} needs Java {JAVA} or newer"
    install = f"install it (Debian: apt install openjdk-{JAVA}-jre-headless), or set JAVA_HOME"
    if java is None:
        raise MachineError(f"{wanted}, and there is no java on the PATH: {install}")
    try:
        told = subprocess.run([java, "-version"], capture_output=True, text=True, check=True, timeout=60).stderr
    except (OSError, subprocess.SubprocessError) as error:
        raise MachineError(f"{wanted}, and {java} cannot be run: {install}") from error
    version = re.search(r'version "(?:1\.)?(\d+)', told)
    if version is None or int(version[1]) < JAVA:
        first = told.strip().splitlines()[:1]
        raise MachineError(f"{wanted}, and {java} is {first[0] if first else 'of no version'}: {install}")
