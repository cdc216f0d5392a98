"""Predict photos in tables of Spark: as many as there are, from any file system that Spark reads, also as a stream."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emonet.album.maker import describe_maker
from emonet.album.tables import MAKER, SIZE
from emonet.atomic import write_atomically
from emonet.errors import ImageError, OptionError
from emonet.inference.loading import BUNDLED, find_model_file
from emonet.prediction import EmotionPredictor
from emonet.prediction.doubts import DoubtRules, choose_doubts
from emonet.prediction.many import PhotoAnswer, answer_photos
from emonet.prediction.table import UNREADABLE, list_columns, make_rows
from emonet.spark.files import is_file, list_names, overlap
from emonet.spark.packing import pack, unpack
from emonet.spark.session import as_pattern, as_url
from emonet.spark.tasks import compute, failing_in_one_line
from emonet.spark.trials import KILLED, find_killers, is_suspicious
from facecrop.images import IMAGE_SUFFIXES

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark import Broadcast
    from pyspark.sql import DataFrame, SparkSession

PHOTOS_AT_ONCE = "16"  # that Spark hands to a process; a photo may have 100 MB
KINDS = {"string": "string", "int32": "int", "float64": "double"}  # Arrow's names -> Spark's
UNFINISHED = "_temporary"  # where Spark writes until a table is complete
TOO_LARGE = "it is too large for Spark, which reads files of up to 2 GiB"
AS_MEASURED = DoubtRules()
PART = "emotion"  # the column whose values are the folders of a written table
WRITTEN = re.compile(rf"_SUCCESS|{UNFINISHED}|{PART}=.*|\..*\.crc")  # the names in a written table


def _make_glob(suffixes: Iterable[str]) -> str:
    """Make a pattern of Hadoop's for file names with some endings, in small and capital letters."""
    endings = (
        "".join(f"[{char}{char.upper()}]" if char.isalpha() else char for char in one) for one in sorted(suffixes)
    )
    return f"*{{{','.join(endings)}}}"


PHOTO_GLOB = _make_glob(IMAGE_SUFFIXES)


@dataclass(frozen=True, slots=True)
class SentPredictor:
    """A predictor on its way to the executors.

    Attributes:
        arguments: Of EmotionPredictor, but for the models.
        models: The names of bundled models, or names of model files.
        files: The model files, by these names.
        facts: What answered: columns of every row.
    """

    arguments: Mapping[str, Any]
    models: tuple[str, ...]
    files: Mapping[str, bytes] = field(repr=False)
    facts: Mapping[str, str]

    def open(self) -> EmotionPredictor:
        """Open the predictor."""
        with tempfile.TemporaryDirectory() as folder:
            for name, content in self.files.items():
                with write_atomically(Path(folder) / name) as temporary:
                    temporary.write_bytes(content)
            models = [str(Path(folder) / name) if name in self.files else name for name in self.models]
            return EmotionPredictor(models, **self.arguments)


def pack_predictor(
    models: tuple[str, ...] = ("emonet",),
    *,
    doubts: DoubtRules = AS_MEASURED,
    coverage: float | None = None,
    answer_all: bool = False,
    **arguments: Any,
) -> bytes:
    """Pack a predictor for the executors, with its model files; it is opened here first, to see that it can be.

    Args:
        models: Names of bundled models, model files, folders of runs or ONNX files.
        doubts: When the answer is "unsure"; rules that are None are as measured.
        coverage: As `choose_doubts` takes it.
        answer_all: Answer to every face.
        arguments: The other arguments of EmotionPredictor.
    """
    predictor = EmotionPredictor(models, **arguments)
    arguments["doubts"] = choose_doubts(predictor, doubts, coverage, answer_all=answer_all)
    facts = describe_maker(predictor)
    names, files = [], {}
    for place, model in enumerate(models):
        path = find_model_file(model)
        names.append(model if model in BUNDLED else f"{place}-{path.name}")
        if model not in BUNDLED:
            files[names[-1]] = path.read_bytes()
    return pack(SentPredictor(arguments, tuple(names), files, {name: facts[name] for name in MAKER}))


def predict_frame(photos: DataFrame, packed: bytes, root: str = "") -> DataFrame:
    """Predict the photos of a table.

    Args:
        photos: With the columns `path` and `content` of Spark's format binaryFile; it may be a stream.
        packed: What `pack_predictor` returned; it is sent to each executor once.
        root: What is taken off the beginning of the paths.

    Returns:
        A table with the columns of predictions.parquet, a row for each face, and for each photo without one.
    """
    session = photos.sparkSession
    session.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", PHOTOS_AT_ONCE)
    columns = _list_columns(packed)
    schema = ", ".join(f"`{name}` {KINDS[kind]}" for name, kind in columns.items())
    broadcast = session.sparkContext.broadcast(packed)
    return photos.select("path", "content").mapInArrow(partial(_answer, broadcast, root), schema)


def read_photo_files(session: SparkSession, folder: str) -> DataFrame:
    """List the image files below a folder of any file system that Spark reads.

    Files are known by their endings. Spark passes over empty ones, and over names that begin with `.` or `_`.

    Returns:
        The columns `path` and `content`, which is null in files that are too large for Spark.

    Raises:
        OptionError: There is no such folder, or no photo in it.
    """
    from pyspark.errors import AnalysisException
    from pyspark.sql import functions as F

    reader = session.read.format("binaryFile").option("recursiveFileLookup", "true")
    try:
        files = reader.option("pathGlobFilter", PHOTO_GLOB).load(as_pattern(folder))
    except AnalysisException as error:
        raise OptionError(f"{folder} cannot be read by Spark: {str(error).splitlines()[0]}") from error
    if is_file(session, folder):
        raise OptionError(f"{folder} is a file, and Spark reads folders: name the folder, or leave out --engine spark")
    if not count_files(files):
        raise OptionError(f"there is no photo in {folder}")
    small = F.col("length") <= int(session.conf.get("spark.sql.sources.binaryFile.maxLength") or 0)
    unread = F.lit(None).cast("binary").alias("content")
    return files.where(small).select("path", "content").union(files.where(~small).select("path", unread))


def count_files(files: DataFrame) -> int:
    """Count the files of a table that Spark has listed, with the empty ones, which have no row."""
    listed: Any = files._jdf  # the public method copies all names into this process
    return len(listed.inputFiles())


@dataclass(frozen=True, slots=True)
class PhotoCounts:
    """What is in a table of predictions."""

    photos: int
    faces: int
    unreadable: int


def check_table(session: SparkSession, place: str, photos: str, *, overwrite: bool) -> None:
    """Refuse a folder for a table that holds anything else, or has to do with the photos.

    Raises:
        OptionError: It holds other files, or a table that must not be overwritten; or it is the folder of the photos,
            lies in it, or contains it.
    """
    if overlap(session, place, photos):
        raise OptionError(f"{place} and the photos in {photos} must not lie in one another: choose another folder")
    names = list_names(session, place)
    if others := sorted(name for name in names if not WRITTEN.fullmatch(name)):
        raise OptionError(f"{place} holds {others[0]}, which is in no table of answers: choose another folder")
    if names - {UNFINISHED} and not overwrite:
        raise OptionError(f"{place} is not empty: choose another folder, or use --overwrite")


def write_table(predictions: DataFrame, place: str) -> PhotoCounts:
    """Write predictions as Parquet files, in a folder for each emotion; count what they hold.

    Spark writes into a folder beside the final ones, and moves files when all are there; then it writes `_SUCCESS`.

    Raises:
        MachineError: A task failed whenever it was tried.
    """
    from pyspark.sql import functions as F

    writer = predictions.write.mode("overwrite").option("partitionOverwriteMode", "static").partitionBy(PART)
    with failing_in_one_line():
        writer.parquet(place)
    session = predictions.sparkSession
    rows = session.read.schema(predictions.schema).parquet(as_pattern(place))
    photos = F.count_distinct("path").alias("photos")
    faces, unreadable = (
        F.count(F.when(F.expr(told), 1)) for told in (f"{PART} is not null", f"reason = '{UNREADABLE}'")
    )
    counts = rows.agg(photos, faces.alias("faces"), unreadable.alias("unreadable"))
    return PhotoCounts(**compute(session, counts.toArrow).to_pylist()[0])


def find_root(folder: str) -> str:
    """Return the beginning that the paths of the photos below a folder have in Spark."""
    return re.sub("^file:/+", "file:/", folder).rstrip("/") + "/"


def as_place(path: Path) -> str:
    """Return a path, or a URL whose slashes `Path` has joined, as Spark takes it."""
    if found := re.match(r"([a-z][a-z0-9+.-]+):/+(.*)", str(path)):
        return f"{found[1]}:{'/' if found[1] == 'file' else '//'}{found[2]}"
    return as_url(path)


@cache
def _unpack(packed: bytes) -> SentPredictor:
    sent: SentPredictor = unpack(packed)
    return sent


@cache
def _open(packed: bytes) -> EmotionPredictor:
    """Open the predictor of this process, with the first photo."""
    return _unpack(packed).open()


def _list_columns(packed: bytes) -> dict[str, str]:
    classes, facts = _open(packed).classes, _unpack(packed).facts
    return list_columns(classes) | dict.fromkeys(SIZE, "int32") | dict.fromkeys(facts, "string")


def _answer(broadcast: Broadcast[bytes], root: str, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Answer the photos of some batches."""
    import pyarrow as pa

    packed = broadcast.value
    facts = dict(_unpack(packed).facts)
    schema = pa.schema([(name, getattr(pa, kind)()) for name, kind in _list_columns(packed).items()])
    for batch in batches:
        photos = list(zip(batch.column("path").to_pylist(), batch.column("content").to_pylist(), strict=True))
        contents = [content or b"" for _, content in photos]
        killers = find_killers(partial(_try, packed), contents) if is_suspicious() else set()
        named = [
            (path.removeprefix(root), ImageError(path, KILLED) if place in killers else _check(path, content))
            for place, (path, content) in enumerate(photos)
        ]
        rows = [row | facts for answer in _answer_some(packed, named) for row in answer]
        yield from pa.Table.from_pylist(rows, schema=schema).to_batches()


def _check(path: str, content: bytes | None) -> bytes | ImageError:
    return ImageError(path, TOO_LARGE) if content is None else content


def _answer_some(packed: bytes, named: list[tuple[str, bytes | ImageError]]) -> Iterator[list[dict[str, Any]]]:
    return answer_photos(_open(packed), named, _make_rows, threads=1)


def _make_rows(answer: PhotoAnswer[str]) -> list[dict[str, Any]]:
    size = dict(zip(SIZE, (side or None for side in answer.photo.size_wh), strict=True))
    return [row | size for row in make_rows(answer.result)]


def _try(packed: bytes, content: bytes) -> None:
    for _ in _answer_some(packed, [("", content)]):
        pass
