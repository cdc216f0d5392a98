"""The columns of a shard, with the metadata that Hugging Face needs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from emonet.datasets.ferplus import VOTES
from emonet.labels import Emotion

if TYPE_CHECKING:
    import pyarrow as pa

SPLIT = "split"


def shard_schema(classes: Sequence[Emotion]) -> pa.Schema:
    """List the columns of a shard.

    `image` is Hugging Face's struct of bytes and path, and `label` its ClassLabel.

    Args:
        classes: In the order of the column `label`.
    """
    import pyarrow as pa

    numbers = pa.list_(pa.float32())
    schema = pa.schema(
        [
            ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            ("label", pa.int64()),
            ("emotion", pa.string()),
            (SPLIT, pa.string()),
            ("source", pa.string()),
            ("subject", pa.string()),
            ("sequence", pa.string()),
            ("frame", pa.int32()),
            ("activation", pa.float32()),
            ("key", pa.string()),
            ("sha1", pa.string()),
            ("box", numbers),
            ("landmarks", pa.list_(numbers)),
            ("score", pa.float32()),
            ("detector", pa.string()),
            ("undetected", pa.string()),  # why the face fails the rules, in rows that are never filtered
            ("votes", pa.list_(pa.int16())),
            ("fold", pa.int32()),
            ("duplicate_group", pa.string()),
            ("near_group", pa.string()),
        ]
    )
    described = {"info": {"features": {field.name: _feature(field, classes) for field in schema}}}
    return schema.with_metadata({"huggingface": json.dumps(described), "emonet.votes": json.dumps(VOTES)})


def set_split(rows: pa.Table | pa.RecordBatch, split: str, classes: Sequence[Emotion]) -> pa.Table | pa.RecordBatch:
    """Write a split into the column of that name, which is added to rows of format 1."""
    import pyarrow as pa

    values = pa.repeat(pa.scalar(split, pa.string()), len(rows))
    names = rows.schema.names
    if SPLIT in names:
        return rows.set_column(names.index(SPLIT), SPLIT, values)
    schema = shard_schema(classes)
    place = sum(name in names for name in schema.names[: schema.get_field_index(SPLIT)])
    return rows.add_column(place, SPLIT, values).replace_schema_metadata(schema.metadata)


def _feature(field: pa.Field, classes: Sequence[Emotion]) -> Any:
    if field.name == "image":
        return {"_type": "Image"}
    if field.name == "label":
        return {"names": [str(emotion) for emotion in classes], "_type": "ClassLabel"}
    return _plain_feature(field.type)


def _plain_feature(kind: pa.DataType) -> Any:
    import pyarrow as pa

    if pa.types.is_list(kind):
        return [_plain_feature(kind.value_type)]  # old versions of Hugging Face's library know this form, too
    return {"dtype": {"float": "float32"}.get(str(kind), str(kind)), "_type": "Value"}
