import contextlib
import json
import signal
import sqlite3
import subprocess
import sys

import pytest
from albums import entry, said

from emonet.album.journal import Journal
from emonet.errors import MachineError, OptionError

MODEL = {"models": ["abc"], "tta": "mirror"}
NAMES = ["a.jpg", "b.jpg", "c.jpg"]
STAMP = (1234, 1_700_000_000_123_456_789)


def make_entry(name="a.jpg"):
    return entry(name, said("happy", 0.9))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "album" / "journal.sqlite"


def fill(path, identity=MODEL):
    with Journal(path, identity) as journal:
        for name in NAMES:
            journal.add(name, STAMP, make_entry(name))


def list_done(path, identity=MODEL):
    with Journal(path, identity) as journal:
        return [name for name in NAMES if journal.find(name, STAMP)]


def write_lines(path, identity=MODEL, names=NAMES):
    """Write a journal of the old format."""
    path.parent.mkdir(exist_ok=True)
    rows = [{"name": name, "stamp": STAMP, "entry": make_entry(name).to_dict()} for name in names]
    lines = [json.dumps({"format": 1, "identity": identity}, sort_keys=True), *map(json.dumps, rows)]
    path.with_name("journal.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return path.with_name("journal.jsonl")


def test_an_entry_is_found_again(path):
    fill(path)
    with Journal(path, MODEL) as journal:
        assert journal.find("b.jpg", STAMP) == make_entry("b.jpg")
        assert journal.find("d.jpg", STAMP) is None


@pytest.mark.parametrize("stamp", [(1235, STAMP[1]), (1234, STAMP[1] + 1), (0, 0)])
def test_a_changed_photo_is_not_found(path, stamp):
    fill(path)
    with Journal(path, MODEL) as journal:
        assert journal.find("a.jpg", stamp) is None
        journal.add("a.jpg", stamp, make_entry())
        assert journal.find("a.jpg", stamp)
        assert journal.find("a.jpg", STAMP) is None


@pytest.mark.parametrize("name", ["caf\udce9.jpg", "two\nlines.jpg", "\N{GRINNING FACE}.jpg", "'; DROP TABLE photos"])
def test_any_file_name_is_a_key(path, name):
    with Journal(path, MODEL) as journal:
        journal.add(name, STAMP, make_entry())
    with Journal(path, MODEL) as journal:
        assert journal.find(name, STAMP)


def test_a_time_beyond_64_bits_is_a_stamp(path):
    with Journal(path, MODEL) as journal:
        journal.add("a.jpg", (1, 2**70), make_entry())
        assert journal.find("a.jpg", (1, 2**70))


def test_answers_of_several_makers_lie_side_by_side(path):
    plain = {**MODEL, "tta": "none"}
    fill(path)
    assert list_done(path, plain) == []
    with Journal(path, plain) as journal:
        journal.add("a.jpg", STAMP, make_entry())
    assert list_done(path, plain) == ["a.jpg"]
    assert list_done(path) == NAMES


def test_answers_about_a_changed_photo_go_for_all_makers(path):
    fill(path)
    with Journal(path, {**MODEL, "tta": "none"}) as journal:
        journal.add("a.jpg", (1, 1), make_entry())
    assert list_done(path) == ["b.jpg", "c.jpg"]


def test_forgotten_photos_leave_no_thumbnail_in_the_file(path):
    fill(path)
    thumbnail = json.dumps(make_entry().to_dict()["thumbnail"]).encode()
    assert thumbnail in path.read_bytes()
    with Journal(path, MODEL) as journal:
        journal.forget(NAMES)
        assert journal.names == set()
    assert thumbnail not in path.read_bytes()


def test_a_closed_journal_is_one_file(path):
    fill(path)
    assert [file.name for file in path.parent.iterdir()] == ["journal.sqlite"]


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from test_emonet_album_journal import *
journal = Journal(Path({path!r}), MODEL)
for name in NAMES[:2]:
    journal.add(name, STAMP, make_entry(name))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_killed_process_loses_nothing_and_leaves_no_lock(path, root):
    script = "from pathlib import Path\n" + KILLED.format(tests=str(root / "tests"), path=str(path))
    killed = subprocess.run([sys.executable, "-c", script], check=False, cwd=root)
    assert killed.returncode == -signal.SIGKILL
    assert list_done(path) == NAMES[:2]
    assert [file.name for file in path.parent.iterdir()] == ["journal.sqlite"]


def test_a_second_run_is_refused_while_the_first_has_the_journal(path):
    with Journal(path, MODEL) as first:
        first.add("a.jpg", STAMP, make_entry())
        with pytest.raises(ValueError, match=r"another run is writing into .*album now"):
            Journal(path, MODEL)
        first.add("b.jpg", STAMP, make_entry("b.jpg"))
    assert list_done(path) == ["a.jpg", "b.jpg"]


def test_a_second_process_is_refused(path, root):
    script = (
        f"import sys; from pathlib import Path; from emonet.album.journal import *; Journal(Path({str(path)!r}), {{}})"
    )
    with Journal(path, MODEL):
        second = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, cwd=root)
    assert "OptionError: another run is writing into" in second.stderr


def test_a_journal_of_the_old_format_is_taken_over(path):
    lines = write_lines(path)
    assert list_done(path) == NAMES
    assert not lines.exists()
    assert list_done(path) == NAMES


@pytest.mark.parametrize("damage", [lambda text: text[:-10], lambda text: text.replace('"b.jpg"', "b.jpg", 1)])
def test_damaged_lines_of_the_old_format_are_left_out(path, damage):
    lines = write_lines(path)
    lines.write_text(damage(lines.read_text()))
    assert len(list_done(path)) == 2


def test_a_journal_of_the_old_format_keeps_its_identity(path):
    plain = {**MODEL, "tta": "none"}
    lines = write_lines(path, plain)
    assert list_done(path) == []
    assert list_done(path, plain) == NAMES
    assert not lines.exists()


def write_format_2(path, identity=MODEL):
    path.parent.mkdir(exist_ok=True)
    rows = [(name.encode(), json.dumps(STAMP), json.dumps(make_entry(name).to_dict()).encode()) for name in NAMES]
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE identity (format INTEGER, identity TEXT)")
        database.execute("CREATE TABLE photos (name BLOB PRIMARY KEY, stamp TEXT, entry BLOB)")
        database.execute("INSERT INTO identity VALUES (2, ?)", (json.dumps(identity, sort_keys=True),))
        database.executemany("INSERT INTO photos VALUES (?, ?, ?)", rows)


def test_a_journal_of_format_2_is_taken_over(path):
    write_format_2(path)
    with Journal(path, {}) as journal:
        assert journal.unlisted
    assert list_done(path) == NAMES
    with Journal(path, MODEL) as journal:
        assert not journal.unlisted


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("UPDATE album SET format = 5", "is of format 5, .* update emonet"),
        ("ALTER TABLE album RENAME TO frames", "is the journal of something else"),
    ],
)
def test_a_newer_journal_and_that_of_a_film_are_refused_and_stay_as_they_are(path, change, message):
    fill(path)
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute(change)
    before = path.read_bytes()
    with pytest.raises(OptionError, match=message):
        Journal(path, MODEL)
    assert path.read_bytes() == before


def test_old_lines_do_not_replace_newer_rows(path):
    with Journal(path, MODEL) as journal:
        journal.add("a.jpg", (1, 1), make_entry())
    write_lines(path)  # as if the takeover had been killed before it removed them
    with Journal(path, MODEL) as journal:
        assert journal.find("a.jpg", (1, 1))


def write_garbage(path):
    path.write_bytes(b"no database at all" * 100)


def cut_off(path):
    path.write_bytes(path.read_bytes()[:-5000])


def overwrite_a_page(path):
    content = bytearray(path.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [write_garbage, cut_off, overwrite_a_page])
def test_a_damaged_journal_is_begun_anew_and_reported(path, caplog, damage):
    fill(path)
    damage(path)
    assert list_done(path) == []
    assert "every photo is done again" in caplog.text
    fill(path)
    assert list_done(path) == NAMES


def test_a_damaged_row_costs_its_photo_alone(path):
    fill(path)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE photos SET entry = ? WHERE name = ?", (b'{"size_wh": \xff', b"b.jpg"))
    database.close()
    assert list_done(path) == ["a.jpg", "c.jpg"]


def test_a_journal_that_cannot_be_opened_is_an_error_of_the_machine(path):
    path.mkdir(parents=True)
    with pytest.raises(MachineError, match=r"journal\.sqlite cannot be opened"):
        Journal(path, MODEL)


@pytest.fixture
def small_disk():
    """No file may be larger than 200 kB."""
    resource = pytest.importorskip("resource", reason="file sizes cannot be limited here")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_is_an_error_of_the_machine(path):
    def fill_up():
        for number in range(1000):
            journal.add(f"{number}.jpg", STAMP, make_entry())

    with Journal(path, MODEL) as journal, pytest.raises(MachineError, match=r"journal\.sqlite cannot be used"):
        fill_up()
