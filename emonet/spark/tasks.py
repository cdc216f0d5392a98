"""Run Python functions on the executors: tasks become rows of a table on the shared disk, results come back.

A task is done in one piece by one Python process, and may be done again after a process was killed: it must write the
same bytes each time, atomically. Tasks and results are numbered, so that no result depends on who did what when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from emonet.atomic import write_atomically
from emonet.errors import EmonetError, MachineError
from emonet.spark.packing import pack, unpack
from emonet.spark.session import as_pattern, as_url, last_line

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

MOST_TASKS = 10_000  # that Spark is given at a time: it keeps a record of each; beyond it, one does several of ours
GROUP = 64  # tasks that are in memory together while they are written
EVERY = 0.5  # seconds between two looks at how far the work has come

Task = TypeVar("Task")
Result = TypeVar("Result")


def run_tasks(
    session: SparkSession,
    table: Path,
    tasks: Iterable[Task],
    work: Callable[[Task], Result],
    *,
    watch: Callable[[], None] | None = None,
) -> list[Result]:
    """Run tasks on the executors.

    Args:
        session: Where to run them.
        table: A file that all machines see; the tasks are written to it, and it is removed afterwards.
        tasks: What is to be done; they are pickled, one after the other.
        work: Does one task; a function of a module, or a `functools.partial` of one.
        watch: Called from time to time, while the tasks run.

    Returns:
        What `work` returned for each task, in order.

    Raises:
        EmonetError: What a task raised.
        MachineError: A task failed whenever it was tried.
    """
    try:
        count = _write(table, tasks)
        if not count:
            return []
        frame = session.read.parquet(as_pattern(as_url(table))).repartition(min(count, MOST_TASKS))
        results = frame.mapInArrow(partial(_run, work), "number long, result binary")
        found = collect(results, watch)
    finally:
        table.unlink(missing_ok=True)
    numbers = found.column("number").to_pylist()
    by_number = dict(zip(numbers, found.column("result").to_pylist(), strict=True))
    return [_open(by_number[number]) for number in range(count)]


def collect(frame: DataFrame, watch: Callable[[], None] | None = None) -> pa.Table:
    """Compute a table; what fails is a MachineError, and Ctrl-C stops the work on all machines."""
    with ThreadPoolExecutor(1) as pool, failing_in_one_line():
        future = pool.submit(frame.toArrow)
        try:
            while not wait([future], EVERY).done:
                if watch is not None:
                    watch()
            return future.result()
        except KeyboardInterrupt:
            frame.sparkSession.sparkContext.cancelAllJobs()
            raise


@contextmanager
def failing_in_one_line() -> Iterator[None]:
    """Make a MachineError of what Spark raises."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (Py4JError, PySparkException) as error:
        raise MachineError(
            f"a task failed on Spark, each time it was tried: {last_line(error)}; run the same command again"
        ) from error


def _write(table: Path, tasks: Iterable[Any]) -> int:
    """Write tasks as rows; return how many there are."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([("number", pa.int64()), ("task", pa.binary())])
    count = 0
    packed = map(pack, tasks)
    with write_atomically(table) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for group in iter(lambda: list(islice(packed, GROUP)), []):
            numbers = range(count, count + len(group))
            writer.write_table(pa.table({"number": list(numbers), "task": group}, schema=schema))
            count += len(group)
    return count


def _run(work: Callable[[Any], Any], batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Do the tasks of some batches; one result leaves at a time."""
    import pyarrow as pa

    for batch in batches:
        for row in batch.to_pylist():
            result = pack(_try(work, unpack(row["task"])))
            yield pa.RecordBatch.from_pydict({"number": [row["number"]], "result": [result]})


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
