"""report.html: everything there is to see of a build, in one file that loads nothing and runs nothing.

Each section is a module's or a function's; it names the rows whose pictures it will show, and those are read together.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emonet.atomic import write_atomically
from emonet.datasets.builder.decisions import Index
from emonet.datasets.builder.report.copies import copies
from emonet.datasets.builder.report.counts import contact_sheets, counts, overview
from emonet.datasets.builder.report.curves import onset_curves
from emonet.datasets.builder.report.page import Section, illustrated_page
from emonet.datasets.builder.report.pictures import Pictures, read_pictures
from emonet.datasets.builder.report.rejections import rejections
from emonet.html.page import Html, code, join, table, tag

if TYPE_CHECKING:
    import pyarrow as pa

REBUILD = """\
# the same build on the same inputs
emonet build --from dataset.json --out AGAIN
# is every byte what it was?
emonet build --verify FOLDER"""

# Where the inputs lay changes nothing about the data set, so it is in dataset.json alone.
PLACES = ("inputs", "ferplus", "relabel")


def write_report(path: Path, info: dict[str, Any], index: Index, rejected: pa.Table, chunks: list[Path]) -> None:
    sections = [
        overview(info, rejected),
        counts(info),
        contact_sheets(info, index),
        rejections(info, index, rejected),
        copies(info, index),
        onset_curves(info, index),
        making(info),
    ]
    pictures = read_pictures(chunks, (row for section in sections for row in section.rows))
    text = illustrated_page(sections, pictures)
    with write_atomically(path) as temporary:
        temporary.write_bytes(text.encode("utf-8", "backslashreplace"))  # not every file name is text


def making(info: Mapping[str, Any]) -> Section:
    def content(_: Pictures) -> Html:
        inputs = table(("input", "SHA-256"), ((name, code(hashed)) for name, hashed in info["inputs"].items()))
        options = {name: value for name, value in info["options"].items() if name not in PLACES}
        chosen = table(("option", "value"), ((name, code(value)) for name, value in _options(options)))
        versions = ((name, code(version or "not there")) for name, version in info["versions"].items())
        beside = (
            tag("div", tag("h3", "Options"), chosen),
            tag("div", tag("h3", "Versions"), table(("package", "version"), versions)),
        )
        return join(tag("pre", REBUILD), tag("h3", "Inputs"), inputs, tag("div", *beside, class_="beside"))

    return Section("making", "How it was made", content)


def _options(options: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Every option on a line of its own, as dataset.json has it."""
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from _options(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", json.dumps(value, ensure_ascii=False)
