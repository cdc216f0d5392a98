import re
import shutil
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from types import SimpleNamespace

import cv2
import imitations
import numpy as np
import pyarrow as pa
import pytest

from emonet.datasets.builder import BuildOptions, build_dataset, prepare, run
from emonet.datasets.builder.report.pictures import read_pictures
from emonet.datasets.builder.report.rejections import MEANINGS
from emonet.datasets.builder.report.report import write_report
from emonet.datasets.curation.duplicates import NearPair
from emonet.datasets.sample import DropReason
from facecrop import CropSpec, Reason

HOSTILE = "<script>alert('1')<b onload=\"x\">&amp;.png"
SECTIONS = ["Expressions", "Contact sheets", "What was left out", "Copies", "Onset of expressions", "How it was made"]


class Tags(HTMLParser):
    """Elements, attributes and what was left open or closed twice."""

    def __init__(self, text):
        super().__init__()
        self.open, self.wrong, self.found = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in ("img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def values(self, name):
        return [attributes[name] for _, attributes in self.found if name in attributes]


def faces(count, seed=0):
    """Pictures that are no copies of each other."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 8, 8), np.uint8)
    return [cv2.resize(face, (48, 48), interpolation=cv2.INTER_CUBIC) for face in coarse]


def write_csv(path):
    """Twice every expression to train on and once to test; copies, contradictions, a blank picture, a bad label."""
    pictures = faces(21)
    rows = [imitations.Row(number % 7, "Training", picture) for number, picture in enumerate(pictures[:14])]
    rows += [imitations.Row(number % 7, "PublicTest", picture) for number, picture in enumerate(pictures[14:])]
    brighter = np.clip(pictures[15] // 2 + 60, 0, 255)
    rows += [
        imitations.Row(0, "Training", pictures[14]),
        imitations.Row(1, "Training", brighter),
        imitations.Row(6, "Training", pictures[3]),
        imitations.Row(0, "Training", np.zeros((48, 48), np.uint8)),
        imitations.Row(9, "Training", pictures[4]),
    ]
    return imitations.write_fer2013_csv(path, rows)


def captured(folder, options):
    """What a build hands to write_report, with the chunks kept."""
    caught = []

    def capture(path, info, index, rejected, chunks):
        kept = [shutil.copy(chunk, folder / chunk.name) for chunk in chunks]
        caught.append(SimpleNamespace(info=info, index=index, rejected=rejected, chunks=kept))
        write_report(path, info, index, rejected, chunks)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "write_report", capture)
        built = build_dataset(prepare(options), folder / "built", workers=1)
    caught[0].path = built.store.path / "report.html"
    return caught[0]


def written(build, tmp_path, **changes):
    """The report of a build some of whose facts are others."""
    values = {"info": build.info, "index": build.index, "rejected": build.rejected} | changes
    write_report(tmp_path / "report.html", **values, chunks=build.chunks)
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def section(text, name):
    return text.split(f'<section id="{name}">')[1].split("</section>")[0]


def rejected(rows):
    columns = zip(*rows, strict=True) if rows else [[]] * 5
    names = ("key", "source", "split", "reason", "detail")
    return pa.table({name: pa.array(list(values), pa.string()) for name, values in zip(names, columns, strict=True)})


@pytest.fixture(scope="module")
def fer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fer")
    return captured(folder, BuildOptions({"fer2013": str(write_csv(folder / "fer2013.csv"))}, detector="whole"))


@pytest.fixture(scope="module")
def several(tmp_path_factory, portrait):
    """Sequences of CK+, one without a rise, and photos of which one will not open and has a hostile name."""
    folder = tmp_path_factory.mktemp("several")
    takes = [(f"S01{person}", f"00{take}", code) for person in range(3) for take, code in ((1, 5), (2, 7))]
    clips = [imitations.Clip(*take, numbers=tuple(range(1, 7))) for take in takes]
    imitations.write_ckplus(folder / "CK+", portrait, clips=clips)
    still = sorted((folder / "CK+/Landmarks/S011/001").iterdir())
    for path in still[1:]:
        shutil.copy(still[0], path)
    for name, face in zip(("train/happy/a.png", "test/sad/b.png"), faces(2, seed=1), strict=True):
        imitations.save(folder / "photos" / name, face)
    (folder / "photos/train/happy" / HOSTILE).write_bytes(b"no picture")
    inputs = {"ckplus": str(folder / "CK+"), "folder": str(folder / "photos")}
    return captured(folder, BuildOptions(inputs, detector="whole", classes="ck8"))


@pytest.fixture(scope="module", params=["fer", "several"])
def text(request):
    return request.getfixturevalue(request.param).path.read_text(encoding="utf-8")


def test_loads_and_runs_nothing(text):
    assert not re.search(r"https?:|<script|javascript:|@import|url\(|<link|<iframe", text)
    tags = Tags(text)
    assert all(source.startswith("data:image/jpeg;base64,") for source in tags.values("src"))
    assert all(link.startswith("#") for link in tags.values("href"))
    assert not [name for _, attributes in tags.found for name in attributes if name.startswith("on")]


def test_is_well_formed(text):
    tags = Tags(text)
    assert (tags.open, tags.wrong) == ([], [])
    assert len(tags.values("id")) == len(set(tags.values("id")))
    assert {link[1:] for link in tags.values("href")} <= set(tags.values("id"))
    assert all(attributes["alt"] for tag, attributes in tags.found if tag == "img")


def test_every_section_is_there(text):
    assert re.findall("<h2>(.*?)</h2>", text) == SECTIONS
    assert "emonet build --from dataset.json" in text


def test_is_the_same_each_time(fer, tmp_path):
    options = BuildOptions.from_dict(fer.info["options"])
    again = build_dataset(prepare(options), tmp_path / "again", workers=1).store.path / "report.html"
    assert again.read_bytes() == fer.path.read_bytes()


def test_totals_and_warnings_come_first(fer):
    head = fer.path.read_text(encoding="utf-8").split("<h2>")[0]
    tiles = re.findall(r"<strong>([\d,]+)</strong>([\w ]+)</div>", head)
    assert tiles == [("16", "train"), ("7", "validation"), ("3", "left out")]
    assert "fer2013: the number of pictures differs from the published one:" in head
    assert "train, published: angry 3,995  disgust 436" in head
    assert "48 by 48 pixels, grey, 12.5 % of the face&#x27;s width around it, not turned" in head
    assert "kept as they are: fer2013" in head


def test_notes_of_the_readers_are_shown(fer, tmp_path):
    sources = {"fer2013": fer.info["sources"]["fer2013"] | {"notes": [HOSTILE], "differs_from_published": None}}
    text = written(fer, tmp_path, info=fer.info | {"sources": sources})
    assert f"fer2013: {escape(HOSTILE)}" in text
    assert "<script" not in text
    assert "differs from" not in text


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        ([], "validation: 7 of 7</p>"),
        (["no_face"] * 3, "validation: 7 of 10: figures on it are not comparable. Left out: no_face 3<"),
        (["onset"] * 3, "validation: 7 of 7; not counted: onset 3<"),
        (["onset", "no_face"], "validation: 7 of 8: figures on it are not comparable. Left out: no_face 1, onset 1<"),
    ],
)
def test_an_evaluated_split_says_whether_it_is_whole(fer, tmp_path, reasons, expected):
    rows = [("key", "fer2013", "validation", reason, "") for reason in reasons]
    assert expected in written(fer, tmp_path, rejected=rejected(rows))


def test_an_evaluated_split_of_several_sources_is_counted_by_source(several):
    text = several.path.read_text(encoding="utf-8")
    assert "test: 6 of 6 from 2 sources, of these:" in text
    assert "test, folder: 1 of 1</p>" in text
    assert "test, ckplus: 5 of 5; not counted: onset 7<" in text


def test_data_without_a_test_say_so(fer, tmp_path):
    text = written(fer, tmp_path, info=fer.info | {"evaluated": {}})
    assert "neither a validation nor a test split" in text


def test_every_expression_is_counted(fer, several):
    for build in (fer, several):
        text = build.path.read_text(encoding="utf-8")
        for source, by_split in build.info["counts"].items():
            for split, numbers in by_split.items():
                card = text.split(f"<h3>{source} {split}</h3>")[1]
                counted = re.findall(r'<span>(\w+)</span>.*?<span class="number">(\d+)</span>', card)
                wanted = [(emotion, str(numbers.get(emotion, 0))) for emotion in build.info["classes"]]
                assert counted[: len(wanted)] == wanted


def test_every_expression_has_a_contact_sheet(fer):
    text = fer.path.read_text(encoding="utf-8")
    sheets = [words for words in Tags(text).values("alt") if " of " in words]
    assert sheets[:2] == ["angry: 2 of 2", "disgust: 3 of 3"]
    assert sheets[7:] == [f"{emotion}: 1 of 1" for emotion in fer.info["classes"]]


def test_contact_sheets_have_whole_lines_of_small_pictures(tmp_path):
    pictures = [imitations.Row(3, "Training", face) for face in faces(19)]
    path = imitations.write_fer2013_csv(tmp_path / "fer2013.csv", pictures)
    build = captured(tmp_path, BuildOptions({"fer2013": str(path)}, detector="whole", crop=CropSpec(size=100)))
    sheet = next(attributes for _, attributes in Tags(build.path.read_text()).found if "alt" in attributes)
    assert (sheet["alt"], sheet["width"], sheet["height"]) == ("happy: 16 of 19", "576", "144")


def test_what_is_held_out_needs_no_sheet(fer, tmp_path):
    counts = {"fer2013": {"dev": {"happy": 3}}}
    text = written(fer, tmp_path, info=fer.info | {"counts": counts})
    assert "nothing but what is held out of train" in text


def test_every_reason_has_a_meaning():
    assert set(MEANINGS) == {*DropReason, *Reason}


def test_rejections_are_shown_with_details_and_faces(fer):
    part = section(fer.path.read_text(encoding="utf-8"), "rejected")
    assert "a training picture that is in an evaluated split too" in part
    assert '<td class="number">1</td><td class="number">3.8 %</td>' in part
    assert "<code>fer2013/fer0000021</code> a copy of fer2013/fer0000014</li>" in part
    assert Tags(part).values("alt") == ["fer2013/fer0000021", "fer2013/fer0000024"]


def test_few_details_and_faces_stand_for_many(fer, tmp_path):
    index = replace(fer.index, reason=["blurred"] * len(fer.index.reason))
    rows = [(f"k{n}", "fer2013", "train", "blurred", f"sharpness {n // 2}") for n in range(24)]
    info = fer.info | {"counts": {}, "rejected": {"fer2013": {"blurred": 24}}}
    part = section(written(fer, tmp_path, info=info, index=index, rejected=rejected(rows)), "rejected")
    assert len(Tags(part).values("alt")) == 12
    assert part.count("<li>") == 5
    assert "<code>k4</code> sharpness 2</li>" in part


def test_rows_that_are_kept_all_the_same_are_counted(fer, tmp_path):
    index = replace(
        fer.index,
        rows=fer.index.rows.set_column(
            fer.index.rows.schema.get_field_index("reason"), "reason", pa.array(["no_face"] * fer.index.rows.num_rows)
        ),
    )
    part = section(written(fer, tmp_path, index=index), "rejected")
    assert "Kept in train all the same, and marked: <code>no_face 16</code> (as asked for)." in part
    assert "Kept in validation all the same, and marked: <code>no_face 7</code> (it is not filtered)." in part


def test_what_will_not_open_is_named_but_not_shown(several):
    part = section(several.path.read_text(encoding="utf-8"), "rejected")
    assert f"<code>folder/train/happy/{escape(HOSTILE)}</code>" in part
    assert not Tags(part).values("src")


def test_a_row_without_a_picture_leaves_a_gap(several, tmp_path):
    keys = several.index.column("key")
    broken, other = keys.index(f"folder/train/happy/{HOSTILE}"), keys.index("folder/test/sad/b.png")
    reasons = ["no_face" if row == broken else None for row in range(len(keys))]
    index = replace(several.index, reason=reasons, pairs=[NearPair(broken, other, 0.98)], copies=np.arange(len(keys)))
    text = written(several, tmp_path, index=index, info=several.info | {"counts": {}})
    assert Tags(section(text, "copies")).values("alt") == [keys[other]]
    assert not Tags(section(text, "rejected")).values("alt")


def test_only_the_wanted_pictures_are_read(several):
    last = several.index.rows.num_rows - 1
    assert set(read_pictures(several.chunks, [last])) == {last}
    assert not read_pictures(several.chunks[:1], [])


def test_nothing_left_out_is_said(fer, tmp_path):
    index = replace(fer.index, reason=[None] * len(fer.index.reason))
    part = section(
        written(fer, tmp_path, info=fer.info | {"rejected": {}}, index=index, rejected=rejected([])), "rejected"
    )
    assert "Nothing was left out." in part


def test_copies_are_told_and_shown(fer):
    part = section(fer.path.read_text(encoding="utf-8"), "copies")
    assert "occur more than once: 2; redundant exact copies: 2<" in part
    assert "copy in train: 1; with an exact or a near one: 2 (training rows that are exact copies were left" in part
    assert "labels contradict each other: 1; pictures in them: 2<" in part
    assert "near copies (correlation of 0.97 or more): 1; across splits: 1<" in part
    assert "blank pictures: train 1<" in part
    shown = [name[-2:] for name in Tags(part).values("alt")]
    assert shown == ["03", "14", "15", "22"]


def test_many_copies_are_cut_short(fer, tmp_path):
    index = replace(fer.index, copies=np.zeros_like(fer.index.copies), pairs=fer.index.pairs * 13)
    part = section(written(fer, tmp_path, index=index), "copies")
    assert "and 17 more" in part
    assert part.count("<strong>correlation ") == 12
    assert "12 of 13" in part


def test_near_copies_that_were_not_looked_for_are_not_counted(fer, tmp_path):
    info = fer.info | {"options": fer.info["options"] | {"leaks": "keep"}}
    part = section(written(fer, tmp_path, info=info, index=replace(fer.index, pairs=[])), "copies")
    assert "near copies were not looked for" in part
    assert "Near copies across splits" not in part
    assert "pairs of near copies" not in part


def test_sequences_without_a_rise_come_first(several):
    part = section(several.path.read_text(encoding="utf-8"), "onset")
    assert "6 sequences, 1 of them without a rise." in part
    assert re.findall(r"<strong><code>(\w+)</code>", part)[0] == "S011_001"
    assert part.index("no rise was found") < part.index("S010_001")
    assert part.count("<polyline") == 6
    assert part.count("<circle") == 36
    assert (
        part.count('class="kept"')
        == several.index.column("source").count("ckplus") - several.info["rejected"]["ckplus"]["onset"]
    )


def test_frames_that_were_only_counted_are_dots_on_a_line(several, tmp_path):
    rows = several.index.rows
    for name in ("activation", "frame"):
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(place, name, pa.nulls(rows.num_rows, rows.schema.field(name).type))
    info = several.info | {"options": several.info["options"] | {"onset": "last=3"}}
    part = section(written(several, tmp_path, info=info, index=replace(several.index, rows=rows)), "onset")
    assert "their frames were only counted" in part
    assert "frames 1 to 6" in part
    assert "<polyline" not in part
    assert "dashed" not in part


def test_sequences_in_which_no_onset_was_looked_for_are_no_curves(several, tmp_path):
    rows = several.index.rows
    for name in ("activation", "reason", "detail"):
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(place, name, pa.nulls(rows.num_rows, rows.schema.field(name).type))
    part = section(written(several, tmp_path, index=replace(several.index, rows=rows)), "onset")
    assert "There are no sequences that begin with a neutral face." in part


def test_a_name_that_is_no_text_does_no_harm(fer, tmp_path):
    options = fer.info["options"] | {"classes": "caf\udce9 \u202e<i>"}
    assert "caf\\udce9 \u202e&lt;i&gt;" in written(fer, tmp_path, info=fer.info | {"options": options})


def test_how_it_was_made_can_be_repeated(fer):
    part = section(fer.path.read_text(encoding="utf-8"), "making")
    assert fer.info["inputs"]["fer2013"] in part
    assert "<code>48</code>" in part.split("crop.size")[1][:40]
    assert set(re.findall(r'<th scope="row">([\w-]+)</th>', part)) >= set(fer.info["versions"])
