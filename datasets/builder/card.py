"""Write the README.md of a data set: what it is, and for Hugging Face which shards belong to which split.

Without it `load_dataset` would join `dev` and `validation` into one split.
"""

from __future__ import annotations

from pathlib import Path

from emonet.atomic import write_atomically
from emonet.datasets.store import StoreInfo
from emonet.datasets.store.layout import SHARDS
from emonet.html.formatting import markdown_table

CARD = """---
configs:
- config_name: default
  data_files:
{files}
---
# A facial-expression data set, merged by emonet

{table}

Classes, in the order of `label`: {classes}.

Look at report.html for what was kept, dropped and why. dataset.json holds every option: `emonet build --from
dataset.json` repeats the build. The images are under their publishers' terms, which mostly forbid passing them on.

The images are in `data`, whose column `split` says the split of each; what was left out is in `rejected`. Open them
with any of these, with the path of this folder for FOLDER:

```python
emonet.datasets.open_store("FOLDER").as_torch("train")  # a torch Dataset
datasets.load_dataset("FOLDER")
pandas.read_parquet("FOLDER/data")
polars.read_parquet("FOLDER/data")
duckdb.sql("select split, emotion, count(*) from 'FOLDER/data/*.parquet' group by all")
spark.read.parquet("FOLDER/data")
mlcroissant.Dataset("FOLDER/croissant.json").records("faces")
```
{warnings}"""


def write_card(path: Path, info: StoreInfo) -> None:
    """Write the card."""
    splits = list(info.splits)
    files = "\n".join(f"  - split: {split}\n    path: {SHARDS}/{split}-*.parquet" for split in splits)
    rows = [
        (source, *(f"{sum(counts.get(split, {}).values()):,}" for split in splits))
        for source, counts in info.counts.items()
    ]
    table = markdown_table(("source", *splits), rows, align_right=True)
    warnings = "".join(f"\n- Warning: {text}." for text in info.warnings)
    card = CARD.format(files=files, table=table, classes=", ".join(info.classes), warnings=warnings and warnings + "\n")
    with write_atomically(path) as temporary:
        temporary.write_text(card, encoding="utf-8", newline="\n")
