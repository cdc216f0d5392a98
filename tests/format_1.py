"""A data set as version 0.1 wrote it: shards without a column `split` beside dataset.json, which has no own hash."""

import hashlib
import json
import shutil

import pyarrow.parquet as pq


def write_format_1(store, folder):
    """Write a data set in format 1."""
    folder.mkdir()
    names = {name: name.rpartition("/")[2] for name in store.info.files if name != "croissant.json"}
    for name, old in names.items():
        if name.startswith("data/"):
            table = pq.read_table(store.path / name)
            features = json.loads(table.schema.metadata[b"huggingface"])
            del features["info"]["features"]["split"]
            metadata = {**table.schema.metadata, b"huggingface": json.dumps(features)}
            pq.write_table(table.drop_columns(["split"]).replace_schema_metadata(metadata), folder / old)
        else:
            shutil.copy(store.path / name, folder / old)
    stored = store.info.to_dict() | {"format": 1}
    for shards in stored["splits"].values():
        for shard in shards:
            shard["name"] = names[shard["name"]]
    stored["files"] = {old: hashlib.sha256((folder / old).read_bytes()).hexdigest() for old in names.values()}
    (folder / "dataset.json").write_text(json.dumps(stored, indent=1) + "\n")
    return folder
