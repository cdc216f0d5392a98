"""report.html: everything there is to see of a build, in one file that loads nothing and runs nothing.

Each section is described by a module, which names the rows whose images it shows; those are read together.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from emonet.datasets.builder.decisions import Index
from emonet.datasets.builder.report.copies import describe_copies
from emonet.datasets.builder.report.curves import describe_onsets
from emonet.datasets.builder.report.images import read_images
from emonet.datasets.builder.report.left_out import describe_left_out
from emonet.datasets.builder.report.overview import describe_classes, describe_making, describe_overview
from emonet.datasets.builder.report.sheets import plan_sheets
from emonet.datasets.store import StoreInfo
from emonet.html.images import embed_pixels
from emonet.html.render import write_page

if TYPE_CHECKING:
    import pyarrow as pa

SECTIONS = {
    "classes": "Expressions",
    "sheets": "Contact sheets",
    "rejected": "What was left out",
    "copies": "Copies",
    "onset": "Onset of expressions",
    "making": "How it was made",
}


def write_report(path: Path, info: StoreInfo, index: Index, rejected: pa.Table, chunks: list[Path]) -> None:
    """Write the report of a build; `chunks` are the files that hold the images of the rows."""
    sheets = plan_sheets(info, index)
    left_out, copies = describe_left_out(info, index, rejected), describe_copies(info, index)
    faces = {row for name in ("blocks", "faceless") for block in left_out[name] for row in block.images}
    faces |= {row for block in copies["blocks"] for shown in block.shown for row in shown.images}
    in_sheets = (row for found in sheets.values() for sheet in found for row in sheet.rows)
    images = read_images(chunks, faces.union(in_sheets))
    write_page(
        path,
        "build.html.j2",
        title=f"Data set: {', '.join(info.sources)}",
        sections=SECTIONS,
        overview=describe_overview(info, rejected),
        counts=describe_classes(info),
        sheets={place: [(sheet, sheet.embed(images)) for sheet in found] for place, found in sheets.items()},
        left_out=left_out,
        copies=copies,
        onset=describe_onsets(info, index),
        making=describe_making(info),
        faces={row: embed_pixels(images[row]) for row in sorted(faces) if row in images},
        keys=index.column("key"),
    )
