"""Write croissant.json, which describes a data set to readers of MLCommons Croissant 1.1.

The records of the set `faces` are the rows of the shards, with their columns. `classes` and `splits` list the values of
the columns `label` and `split`. The specification: https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emonet.atomic import write_atomically
from emonet.datasets import find_terms
from emonet.datasets.store import StoreInfo, shard_schema
from emonet.datasets.store.layout import SHARDS

if TYPE_CHECKING:
    import pyarrow as pa

PARQUET = "application/x-parquet"
FILE_SET = "shards"
ROLES = {"train": "cr:TrainingSplit", "validation": "cr:ValidationSplit", "test": "cr:TestSplit"}  # none for dev
LISTS = {"label": "classes/label", "split": "splits/name"}  # column -> the field that lists its values
TERMS = (
    *("arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field", "fileObject"),
    *("fileProperty", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5"),
    *("parentField", "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate", "separator"),
    *("source", "subField", "transform"),
)
CONTEXT: Mapping[str, Any] = {  # the specification's own, also where a term is not used here
    "@language": "en",
    "@vocab": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    **{term: f"cr:{term}" for term in TERMS},
}


def write_croissant(path: Path, info: StoreInfo, hashes: Mapping[str, str]) -> None:
    """Write the description.

    Args:
        path: The file.
        info: The data set.
        hashes: Shard -> its SHA-256.
    """
    described = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": "-".join(("emonet", *info.sources)),
        "description": f"Faces and their expressions, merged by emonet from {', '.join(info.sources)}.",
        "license": [f"{source}: {find_terms(source)}" for source in info.sources],
        "distribution": [*(_describe_shard(name, hashes[name]) for name in hashes), _describe_shards()],
        "recordSet": [_list_splits(info), _list_classes(info), _describe_faces(info)],
    }
    with write_atomically(path) as temporary:
        temporary.write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8", newline="\n")


def _describe_shard(name: str, digest: str) -> dict[str, Any]:
    shard = {"@type": "cr:FileObject", "@id": name, "name": name.removeprefix(f"{SHARDS}/"), "contentUrl": name}
    return {**shard, "encodingFormat": PARQUET, "sha256": digest}


def _describe_shards() -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": FILE_SET,
        "name": FILE_SET,
        "description": "The files of all splits.",
        "encodingFormat": PARQUET,
        "includes": f"{SHARDS}/*.parquet",
    }


def _list_splits(info: StoreInfo) -> dict[str, Any]:
    rows = [{"splits/name": split, "splits/role": ROLES.get(split, "")} for split in info.splits]
    return _list_values("splits", "cr:Split", {"name": "sc:Text", "role": "sc:Text"}, rows)


def _list_classes(info: StoreInfo) -> dict[str, Any]:
    rows = [{"classes/label": label, "classes/name": str(name)} for label, name in enumerate(info.classes)]
    return _list_values("classes", "sc:Enumeration", {"label": "sc:Integer", "name": "sc:Text"}, rows)


def _list_values(name: str, kind: str, columns: Mapping[str, str], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Describe a record set whose records stand in croissant.json itself; its first column is the key."""
    fields = [
        {"@type": "cr:Field", "@id": f"{name}/{column}", "dataType": data_type} for column, data_type in columns.items()
    ]
    key = {"@id": f"{name}/{next(iter(columns))}"}
    return {"@type": "cr:RecordSet", "@id": name, "dataType": kind, "key": key, "field": fields, "data": rows}


def _describe_faces(info: StoreInfo) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": "faces",
        "description": "One row for each image.",
        "key": {"@id": "faces/key"},
        "field": list(_describe_columns(info)),
    }


def _describe_columns(info: StoreInfo) -> Iterator[dict[str, Any]]:
    for column in shard_schema(info.classes):
        source: dict[str, Any] = {"fileSet": {"@id": FILE_SET}, "extract": {"column": column.name}}
        if column.name == "image":
            source["transform"] = {"jsonPath": "bytes"}
        field = {"@type": "cr:Field", "@id": f"faces/{column.name}", **_describe_type(column), "source": source}
        if column.name in LISTS:
            field["references"] = {"field": {"@id": LISTS[column.name]}}
        yield field


def _describe_type(column: pa.Field) -> dict[str, Any]:
    import pyarrow as pa

    if column.name == "image":
        return {"dataType": "sc:ImageObject"}
    kind, sizes = column.type, []
    while pa.types.is_list(kind):
        kind = kind.value_type
        sizes.append("-1")  # of any length
    name = "sc:Float" if pa.types.is_floating(kind) else "sc:Integer" if pa.types.is_integer(kind) else "sc:Text"
    return {"dataType": name, **({"isArray": True, "arrayShape": ",".join(sizes)} if sizes else {})}
