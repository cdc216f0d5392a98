"""Read one Parquet file of a data set; every error names the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emonet.datasets.store.schema import SPLIT
from emonet.errors import DatasetError, OptionError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

ADVICE = "copy the data set again, or build it again; `emonet build --verify` checks all files"


@contextmanager
def open_shard(path: Path) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file.

    Raises:
        DatasetError: The file is missing, or damaged where it is read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            yield file
    except FileNotFoundError as error:
        raise DatasetError(path, f"a file of the data set is missing: {ADVICE}") from error
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the system's own, such as no permission
            raise
        first = str(error).partition("\n")[0]
        raise DatasetError(path, f"truncated or damaged: {ADVICE} ({first})") from error


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Rows of a Parquet file that are read together.

    Attributes:
        path: The file.
        number: Which of its row groups.
        rows: How many rows it has.
    """

    path: Path
    number: int
    rows: int

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Read some columns."""
        with open_shard(self.path) as file:
            return file.read_row_group(self.number, columns=choose_columns(file, columns))


def list_row_groups(path: Path) -> list[RowGroup]:
    """List the row groups of a shard in order."""
    with open_shard(path) as file:
        counts = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    return [RowGroup(path, number, rows) for number, rows in enumerate(counts)]


def choose_columns(file: pq.ParquetFile, columns: Sequence[str] | None) -> list[str] | None:
    """Return the columns to read from a shard; `split` need not be in it.

    Raises:
        OptionError: There is no such column.
    """
    if columns is None:
        return None
    there = file.schema_arrow.names
    if unknown := [name for name in columns if name not in there and name != SPLIT]:
        raise OptionError(f"no column {', '.join(unknown)}; the columns are {', '.join(there)}")
    return [name for name in columns if name in there] or ["label"]  # without a column there would be no rows
