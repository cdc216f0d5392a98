"""A Spark session for tests, which skip where Spark cannot run."""

import os
import shutil
from contextlib import contextmanager

import pytest

SMALL = {  # little memory, and nothing that pays only in long runs
    "spark.driver.memory": "1g",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}

QUIET = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # pyspark leaves sockets to the garbage collector
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),  # Arrow is used
]


def skip_without_spark():
    """Skip the tests of a module where PySpark or Java is missing."""
    pytest.importorskip("pyspark", reason="pyspark is not installed: pip install emonet[spark]")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java, which is not installed", allow_module_level=True)


@contextmanager
def open_small_session(root):
    """Open a session whose processes find the package and what tests share.

    A setting says where: Java, which an earlier session of this process may have started, keeps its environment.
    """
    from emonet.spark import open_session

    paths = {"spark.executorEnv.PYTHONPATH": f"{root}{os.pathsep}{root / 'tests'}"}
    with open_session("a test", "local[2]", SMALL | paths) as opened:
        yield opened
