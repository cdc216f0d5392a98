"""Run Python functions on the executors: tasks go into a file on the shared disk, results come back.

A task is done in one piece by one Python process, and may be done again after a process was killed: it must write the
same bytes each time, atomically. Results come in the order of the tasks, whoever did what when. Spark's tables would
take longer to plan than most of our work takes: only its older interface, the RDD, is used here.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from emonet.atomic import write_atomically
from emonet.errors import EmonetError, MachineError
from emonet.spark.packing import pack, unpack
from emonet.spark.session import last_line

if TYPE_CHECKING:
    from pyspark import RDD
    from pyspark.sql import SparkSession

MOST_TASKS = 10_000  # that Spark is given at a time: it keeps a record of each; beyond it, one does several of ours
EACH = 8  # tasks of Spark for each core of one machine; each takes it some 20 ms. A cluster gains cores as it works
BAD_NAME = "Relative path in absolute URI"  # how Hadoop takes a name such as 12:30.jpg
EVERY = 0.5  # seconds between two looks at how far the work has come

Task = TypeVar("Task")
Result = TypeVar("Result")
Part = TypeVar("Part")
Place = tuple[int, int]  # of a packed task in its file: where it begins, and its length


class Executors:
    """The executors of a session, which are handed tasks in a file.

    Args:
        session: Of Spark.
        table: A file that all machines see; tasks are written to it, and it is removed when they are done.
    """

    def __init__(self, session: SparkSession, table: Path) -> None:
        self._session = session
        self._table = table

    def run_tasks(
        self, tasks: Iterable[Task], work: Callable[[Task], Result], *, watch: Callable[[], None] | None = None
    ) -> list[Result]:
        """Run tasks.

        Args:
            tasks: What is to be done; they are pickled, one after the other.
            work: Does one task; a function of a module, or a `functools.partial` of one.
            watch: Called from time to time, while the tasks run.

        Returns:
            What `work` returned for each task, in order.

        Raises:
            EmonetError: What a task raised.
            MachineError: A task failed whenever it was tried.
        """
        with _hand_out(self._session, self._table, tasks) as places:
            return _collect(self._session, places.mapPartitions(partial(_run, work, self._table)), watch)

    def run_groups(
        self,
        tasks: Iterable[Task],
        divide: Callable[[Task], Iterable[tuple[int, Part]]],
        groups: int,
        work: Callable[[list[Part]], Result],
    ) -> list[Result]:
        """Divide what is in tasks into groups, each of which is worked on in one piece.

        Args:
            tasks: What is to be divided.
            divide: Yields parts of a task, each with the number of its group.
            groups: How many groups there are.
            work: Works on the parts of a group, which come in any order.

        Returns:
            What `work` returned for each group that has parts, in order.

        Raises:
            EmonetError: What `work` raised.
            MachineError: A task failed whenever it was tried.
        """
        with _hand_out(self._session, self._table, tasks) as places:
            parts = places.mapPartitions(partial(_divide, divide, self._table)).partitionBy(groups, int)
            return _collect(self._session, parts.mapPartitions(partial(_join, work)))


def compute(session: SparkSession, action: Callable[[], Result], watch: Callable[[], None] | None = None) -> Result:
    """Compute something on the executors; what fails is a MachineError, and Ctrl-C stops the work on all machines."""
    with ThreadPoolExecutor(1) as pool, failing_in_one_line():
        future = pool.submit(action)
        try:
            while not wait([future], EVERY).done:
                if watch is not None:
                    watch()
            return future.result()
        except KeyboardInterrupt:
            session.sparkContext.cancelAllJobs()
            raise


@contextmanager
def failing_in_one_line() -> Iterator[None]:
    """Make a MachineError of what Spark raises."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (Py4JError, PySparkException) as error:
        told = last_line(error)
        advice = (
            "Spark reads no local files with : in their names" if BAD_NAME in told else "run the same command again"
        )
        raise MachineError(f"a task failed on Spark, each time it was tried: {told}; {advice}") from error


@contextmanager
def _hand_out(session: SparkSession, table: Path, tasks: Iterable[Any]) -> Iterator[RDD[Place]]:
    """Write tasks into a file that is there while the block runs, and share out their places."""
    places = []
    try:
        with write_atomically(table) as temporary, temporary.open("wb") as file:
            for packed in map(pack, tasks):
                places.append((file.tell(), len(packed)))
                file.write(packed)
        context = session.sparkContext
        most = EACH * context.defaultParallelism if context.master.startswith("local") else MOST_TASKS
        yield context.parallelize(places, max(1, min(len(places), most)))
    finally:
        table.unlink(missing_ok=True)


def _collect(session: SparkSession, results: RDD[bytes], watch: Callable[[], None] | None = None) -> list[Any]:
    return [_open(packed) for packed in compute(session, results.collect, watch)]


def _read(table: Path, places: Iterable[Place]) -> Iterator[Any]:
    with table.open("rb") as file:
        for start, length in places:
            file.seek(start)
            yield unpack(file.read(length))


def _run(work: Callable[[Any], Any], table: Path, places: Iterable[Place]) -> Iterator[bytes]:
    for task in _read(table, places):
        yield pack(_try(work, task))
    _settle(getattr(work, "func", work))


def _divide(
    divide: Callable[[Any], Iterable[tuple[int, Any]]], table: Path, places: Iterable[Place]
) -> Iterator[tuple[int, Any]]:
    for task in _read(table, places):
        yield from divide(task)


def _join(work: Callable[[list[Any]], Any], parts: Iterable[tuple[int, Any]]) -> Iterator[bytes]:
    found = [part for _, part in parts]
    if found:
        yield pack(_try(work, found))


@cache
def _settle(_work: Callable[..., Any]) -> None:
    """Keep what the first task has imported out of the garbage that Spark looks for after each: it takes 40 ms."""
    gc.collect()
    gc.freeze()


def _try(work: Callable[[Any], Any], task: Any) -> Any:
    """Do a task. An error that was raised on purpose would be raised again: it goes to the driver at once."""
    try:
        return work(task)
    except (EmonetError, OSError) as error:
        return error


def _open(packed: bytes) -> Any:
    result = unpack(packed)
    if isinstance(result, EmonetError | OSError):
        raise result
    return result
