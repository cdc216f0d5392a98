import re
import shutil
from dataclasses import replace
from types import SimpleNamespace

import cv2
import imitations
import numpy as np
import pyarrow as pa
import pytest
from pages import Tags, headings, parts, rows, section, words

from emonet.datasets.builder import BuildOptions, build_dataset, prepare, run
from emonet.datasets.builder.report.images import read_images
from emonet.datasets.builder.report.left_out import MEANINGS
from emonet.datasets.builder.report.report import write_report
from emonet.datasets.curation.duplicates import NearPair
from emonet.datasets.sample import DropReason
from facecrop import CropSpec, Reason

HOSTILE = "<script>alert('1')<b onload=\"x\">&amp;.png"
SECTIONS = ["Expressions", "Contact sheets", "What was left out", "Copies", "Onset of expressions", "How it was made"]


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


def without(table, *names):
    """The table with nothing in these columns."""
    for name in names:
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, pa.nulls(table.num_rows, table.schema.field(name).type))
    return table


def rejected(lines):
    columns = zip(*lines, strict=True) if lines else [[]] * 5
    names = ("key", "source", "split", "reason", "detail")
    return pa.table({name: pa.array(list(values), pa.string()) for name, values in zip(names, columns, strict=True)})


@pytest.fixture(scope="module")
def fer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fer")
    return captured(
        folder, BuildOptions({"fer2013": str(write_csv(folder / "fer2013.csv"))}, detector="whole", leaks="exact")
    )


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
    return captured(folder, BuildOptions(inputs, detector="whole", classes="ck8", leaks="exact"))


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
    assert headings(text) == SECTIONS
    assert "emonet build --from dataset.json" in text


def test_is_the_same_each_time(fer, tmp_path):
    options = BuildOptions.from_dict(fer.info.options)
    again = build_dataset(prepare(options), tmp_path / "again", workers=1).store.path / "report.html"
    assert again.read_bytes() == fer.path.read_bytes()


def test_totals_and_warnings_come_first(fer):
    head = section(fer.path.read_text(encoding="utf-8"), "top")
    tiles = re.findall(r"<strong>([\d,]+)</strong>([\w ]+)</div>", head)
    assert tiles == [("16", "train"), ("7", "validation"), ("3", "left out")]
    assert "differs from the published one" in words(head)
    assert "train, published: angry 3,995  disgust 436" in head
    assert "48 by 48 pixels, grey, 12.5 % of the face's width around it, not turned" in words(head)
    assert "kept as they are: fer2013" in words(head)


def test_notes_of_the_readers_are_shown(fer, tmp_path):
    sources = {"fer2013": replace(fer.info.sources["fer2013"], notes=(HOSTILE,), differs_from_published=None)}
    text = written(fer, tmp_path, info=replace(fer.info, sources=sources))
    assert f"fer2013: {HOSTILE}" in words(text)
    assert "<script" not in text
    assert "differs from" not in text


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        ([], "validation: 7 of 7 classes"),
        (["no_face"] * 3, "validation: 7 of 10: figures on it are not comparable. Left out: no_face 3 classes"),
        (["onset"] * 3, "validation: 7 of 7; not counted: onset 3 classes"),
        (["onset", "no_face"], "7 of 8: figures on it are not comparable. Left out: no_face 1, onset 1 classes"),
    ],
)
def test_an_evaluated_split_says_whether_it_is_whole(fer, tmp_path, reasons, expected):
    lines = [("key", "fer2013", "validation", reason, "") for reason in reasons]
    assert expected in words(written(fer, tmp_path, rejected=rejected(lines)))


def test_an_evaluated_split_of_several_sources_is_counted_by_source(several):
    head = words(section(several.path.read_text(encoding="utf-8"), "top"))
    assert "test: 6 of 6 from 2 sources, of these: test, ckplus: 5 of 5; not counted: onset 7 test, folder: 1" in head


def test_data_without_a_test_say_so(fer, tmp_path):
    text = written(fer, tmp_path, info=replace(fer.info, evaluated={}))
    assert "neither a validation nor a test split" in text


def test_every_expression_is_counted(fer, several):
    for build in (fer, several):
        text = build.path.read_text(encoding="utf-8")
        for source, by_split in build.info.counts.items():
            for split, numbers in by_split.items():
                card = words(text.split(f"<h3>{source} {split}</h3>")[1])
                assert card.startswith(" ".join(f"{name} {numbers.get(name, 0)}" for name in build.info.classes))


def test_every_expression_has_a_contact_sheet(fer):
    text = fer.path.read_text(encoding="utf-8")
    sheets = [alt for alt in Tags(text).values("alt") if " of " in alt]
    assert sheets[:2] == ["angry: 2 of 2", "disgust: 3 of 3"]
    assert sheets[7:] == [f"{emotion}: 1 of 1" for emotion in fer.info.classes]


def test_contact_sheets_have_whole_lines_of_small_pictures(tmp_path):
    pictures = [imitations.Row(3, "Training", face) for face in faces(19)]
    path = imitations.write_fer2013_csv(tmp_path / "fer2013.csv", pictures)
    build = captured(
        tmp_path, BuildOptions({"fer2013": str(path)}, detector="whole", leaks="exact", crop=CropSpec(size=100))
    )
    sheet = next(attributes for _, attributes in Tags(build.path.read_text()).found if "alt" in attributes)
    assert (sheet["alt"], sheet["width"], sheet["height"]) == ("happy: 16 of 19", "576", "144")


def test_what_is_held_out_needs_no_sheet(fer, tmp_path):
    counts = {"fer2013": {"dev": {"happy": 3}}}
    text = written(fer, tmp_path, info=replace(fer.info, counts=counts))
    assert "nothing but what is held out of train" in text


def test_every_reason_has_a_meaning():
    assert set(MEANINGS) == {*DropReason, *Reason}


def test_rejections_are_shown_with_details_and_faces(fer):
    part = section(fer.path.read_text(encoding="utf-8"), "rejected")
    assert "fer2013 leak a training image that is in an evaluated split too 1 3.8 %" in rows(part)
    assert "fer2013/fer0000021 a copy of fer2013/fer0000014" in map(words, parts(part, "li"))
    assert Tags(part).values("alt") == ["fer2013/fer0000021", "fer2013/fer0000024"]


def test_few_details_and_faces_stand_for_many(fer, tmp_path):
    index = replace(fer.index, reason=["blurred"] * len(fer.index.reason))
    lines = [(f"k{n}", "fer2013", "train", "blurred", f"sharpness {n // 2}") for n in range(24)]
    info = replace(fer.info, counts={}, rejected={"fer2013": {"blurred": 24}})
    part = section(written(fer, tmp_path, info=info, index=index, rejected=rejected(lines)), "rejected")
    assert len(Tags(part).values("alt")) == 12
    assert [words(line) for line in parts(part, "li")] == [f"k{2 * n} sharpness {n}" for n in range(5)]


def test_rows_that_are_kept_all_the_same_are_counted(fer, tmp_path):
    index = replace(
        fer.index,
        rows=fer.index.rows.set_column(
            fer.index.rows.schema.get_field_index("reason"), "reason", pa.array(["no_face"] * fer.index.rows.num_rows)
        ),
    )
    part = words(section(written(fer, tmp_path, index=index), "rejected"))
    assert "Kept in train all the same, and marked: no_face 16 (their publisher cropped them)" in part
    assert "Kept in validation all the same, and marked: no_face 7 (it is not filtered)" in part


def test_what_will_not_open_is_named_but_not_shown(several):
    part = section(several.path.read_text(encoding="utf-8"), "rejected")
    assert f"folder/train/happy/{HOSTILE}" in words(part)
    assert not Tags(part).values("src")


def test_a_row_without_a_picture_leaves_a_gap(several, tmp_path):
    keys = several.index.column("key")
    broken, other = keys.index(f"folder/train/happy/{HOSTILE}"), keys.index("folder/test/sad/b.png")
    reasons = ["no_face" if row == broken else None for row in range(len(keys))]
    index = replace(several.index, reason=reasons, pairs=[NearPair(broken, other, 0.98)], copies=np.arange(len(keys)))
    text = written(several, tmp_path, index=index, info=replace(several.info, counts={}))
    assert Tags(section(text, "copies")).values("alt") == [keys[other]]
    assert not Tags(section(text, "rejected")).values("alt")


def test_only_the_wanted_pictures_are_read(several):
    last = several.index.rows.num_rows - 1
    assert set(read_images(several.chunks, [last])) == {last}
    assert not read_images(several.chunks[:1], [])


def test_nothing_left_out_is_said(fer, tmp_path):
    index = replace(fer.index, reason=[None] * len(fer.index.reason))
    part = section(
        written(fer, tmp_path, info=replace(fer.info, rejected={}), index=index, rejected=rejected([])), "rejected"
    )
    assert "Nothing was left out." in part


def test_copies_are_told_and_shown(fer):
    part = section(fer.path.read_text(encoding="utf-8"), "copies")
    facts = [re.findall(r"\d+(?:\.\d+)?", words(line)) for line in parts(part, "li")[:6]]
    assert facts == [["2", "2"], ["1", "2"], ["1", "2"], ["0.97", "1", "1"], ["1", "0"], ["1"]]
    assert "training rows that are exact copies were left out" in words(part)
    shown = [name[-2:] for name in Tags(part).values("alt")]
    assert shown == ["03", "14", "15", "22"]


def test_many_copies_are_cut_short(fer, tmp_path):
    index = replace(fer.index, copies=np.zeros_like(fer.index.copies), pairs=fer.index.pairs * 13)
    part = section(written(fer, tmp_path, index=index), "copies")
    assert "and 17 more" in part
    assert part.count("<strong>correlation ") == 12
    assert "12 of 13" in part


def test_near_copies_that_were_not_looked_for_are_not_counted(fer, tmp_path):
    info = replace(fer.info, options=fer.info.options | {"leaks": "keep"})
    part = section(written(fer, tmp_path, info=info, index=replace(fer.index, pairs=[])), "copies")
    assert "near copies were not looked for" in part
    assert "Near copies across splits" not in part
    assert "pairs of near copies" not in part


def test_doubtful_sequences_come_first(several):
    part = section(several.path.read_text(encoding="utf-8"), "onset")
    assert "6 sequences, 1 of them doubtful." in part
    assert words(parts(part, "strong")[0]) == "S011_001"
    assert part.index("no rise was found") < part.index("S010_001")
    assert part.count("<polyline") == 6
    assert part.count("<circle") == 36
    kept = several.index.column("source").count("ckplus") - several.info.rejected["ckplus"]["onset"]
    assert len(Tags(part).named("circle", "kept")) == kept


def test_frames_that_were_only_counted_are_dots_on_a_line(several, tmp_path):
    table = without(several.index.rows, "activation", "frame")
    info = replace(several.info, options=several.info.options | {"onset": "last=3"})
    part = section(written(several, tmp_path, info=info, index=replace(several.index, rows=table)), "onset")
    assert "their frames were only counted" in part
    assert "frames 1 to 6" in part
    assert "<polyline" not in part
    assert "dashed" not in part


def test_sequences_in_which_no_onset_was_looked_for_are_no_curves(several, tmp_path):
    table = without(several.index.rows, "activation", "reason", "detail")
    part = section(written(several, tmp_path, index=replace(several.index, rows=table)), "onset")
    assert "There are no sequences that begin with a neutral face." in part


def test_a_name_that_is_no_text_does_no_harm(fer, tmp_path):
    options = fer.info.options | {"classes": "caf\udce9 \u202e<i>"}
    assert "caf\\udce9 \u202e<i>" in words(written(fer, tmp_path, info=replace(fer.info, options=options)))


def test_how_it_was_made_can_be_repeated(fer):
    part = section(fer.path.read_text(encoding="utf-8"), "making")
    assert fer.info.inputs["fer2013"] in part
    assert "crop.size 48" in rows(part)
    assert {words(name) for name in parts(part, "th")} >= set(fer.info.versions)
