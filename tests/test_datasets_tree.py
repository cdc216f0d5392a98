import io
import multiprocessing
import ntpath
import os
import pickle
import struct
import subprocess
import sys
import tarfile
import zipfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from operator import methodcaller

import pytest

from emonet.datasets.formats.tree import hash_inputs, open_tree
from emonet.errors import DatasetError

FILES = {"a/1.png": b"one", "a/2.PNG": b"two" * 1000, "b/notes.txt": b"three", "b/c/x.jpeg": b""}
ARCHIVES = [".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"]
BOMB = 100 * 2**20


def write_folder(folder, files=FILES):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def write_zip(path, files=FILES, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_tar(path, files=FILES):
    kind = {".gz": "gz", ".tgz": "gz", ".bz2": "bz2", ".xz": "xz"}.get(path.suffix, "")
    with tarfile.open(path, f"w:{kind}") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def write_archive(path, files=FILES):
    return write_zip(path, files) if path.suffix == ".zip" else write_tar(path, files)


def contents(tree):
    return {name: blob.read() for name, blob in tree.members.items()}


def test_folder_lists_its_files(tmp_path):
    tree = open_tree(write_folder(tmp_path))
    assert contents(tree) == FILES
    assert list(tree.members) == sorted(FILES)


@pytest.mark.parametrize("suffix", ARCHIVES)
def test_archive_lists_its_members(suffix, tmp_path):
    tree = open_tree(write_archive(tmp_path / f"data{suffix}", dict(reversed(FILES.items()))))
    assert contents(tree) == FILES
    assert list(tree.members) == sorted(FILES)


@pytest.mark.parametrize("suffix", [".ZIP", ".Tar.Gz"])
def test_archive_suffixes_are_known_in_any_case(suffix, tmp_path):
    path = write_archive(tmp_path / f"data{suffix.lower()}")
    assert contents(open_tree(path.rename(tmp_path / f"data{suffix}"))) == FILES


def test_file_is_a_tree_of_one_member(tmp_path):
    (tmp_path / "fer2013.csv").write_bytes(b"rows")
    assert contents(open_tree(str(tmp_path / "fer2013.csv"))) == {"fer2013.csv": b"rows"}


def test_missing_path_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no such file or folder: .*nowhere"):
        open_tree(tmp_path / "nowhere")


def test_images_are_known_by_their_suffix(tmp_path):
    tree = open_tree(write_folder(tmp_path))
    assert [str(place) for place, _ in tree.images()] == ["a/1.png", "a/2.PNG", "b/c/x.jpeg"]


HIDDEN = [".DS_Store", "a/._1.png", "__MACOSX/a/1.png", ".cache/x.png", "a/Thumbs.db", "a/Desktop.ini"]


@pytest.mark.parametrize("suffix", ARCHIVES)
@pytest.mark.parametrize("prefix", ["", "./"])
def test_hidden_members_are_skipped(suffix, prefix, tmp_path):
    names = [prefix + name for name in ("a/1.png", *HIDDEN)]
    tree = open_tree(write_archive(tmp_path / f"data{suffix}", dict.fromkeys(names, b"x")))
    assert list(tree.members) == ["a/1.png"]


def test_hidden_files_are_skipped(tmp_path):
    names = [name for name in HIDDEN if "MACOSX" not in name]
    assert list(open_tree(write_folder(tmp_path, dict.fromkeys(("a/1.png", *names), b"x"))).members) == ["a/1.png"]


def test_zip_with_backslashes_has_folders(tmp_path):
    path = write_zip(tmp_path / "data.zip", {"a#1.png": b"one", "b#": b""})
    path.write_bytes(path.read_bytes().replace(b"a#1.png", b"a\\1.png").replace(b"b#", b"b\\"))
    assert contents(open_tree(path)) == {"a/1.png": b"one"}


@pytest.mark.parametrize("suffix", ARCHIVES)
@pytest.mark.parametrize("name", ["../a.png", "a/../../b.png", "/etc/a.png", "..\\a.png", "\\a.png", "C:/a.png"])
def test_members_that_lead_out_of_the_archive_are_refused(suffix, name, tmp_path):
    path = write_archive(tmp_path / f"data{suffix}", {"fine.png": b"x", name: b"x"})
    with pytest.raises(DatasetError, match=rf"data{suffix}: the member .* leads out of the archive"):
        open_tree(path)


def test_links_and_devices_in_a_tar_are_not_followed(tmp_path):
    path = tmp_path / "data.tar"
    with tarfile.open(path, "w") as archive:
        for kind, name in (
            (tarfile.SYMTYPE, "link.png"),
            (tarfile.LNKTYPE, "hard.png"),
            (tarfile.FIFOTYPE, "pipe.png"),
        ):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry)
    assert open_tree(path).members == {}


def test_a_file_with_two_names_in_a_tar_has_both(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "a.png").write_bytes(b"one file")
    (tmp_path / "train" / "b.png").hardlink_to(tmp_path / "train" / "a.png")
    with tarfile.open(tmp_path / "data.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "train", "train")
    tree = open_tree(tmp_path / "data.tar.gz")
    assert contents(tree) == {"train/a.png": b"one file", "train/b.png": b"one file"}


def test_zip_bomb_is_refused(tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("fine.png", b"x")
        with archive.open("zeros.png", "w") as member:
            for _ in range(BOMB // 2**20):
                member.write(bytes(2**20))
    assert path.stat().st_size < 2**20
    with pytest.raises(DatasetError, match=r"bomb\.zip: zeros\.png expands from [\d,]+ to 104,857,600 bytes"):
        open_tree(path)


def test_huge_zip_is_refused(tmp_path):
    path = write_zip(tmp_path / "huge.zip", {f"{number}.png": b"x" for number in range(20)})
    content = bytearray(path.read_bytes())
    entry = content.find(b"PK\1\2")
    while entry >= 0:  # 4 GB each, packed and unpacked
        content[entry + 20 : entry + 28] = b"\xf0\xff\xff\xff" * 2
        entry = content.find(b"PK\1\2", entry + 1)
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"huge\.zip: it expands to 85,\d{3},\d{3},\d{3} bytes, more than"):
        open_tree(path)


def test_zip_with_false_sizes_is_damaged(tmp_path):
    path = write_zip(tmp_path / "liar.zip", {"a.png": bytes(2**20)})
    content = path.read_bytes()
    path.write_bytes(content.replace(struct.pack("<L", 2**20), struct.pack("<L", 10)))
    with pytest.raises(OSError, match="damaged in its archive"):
        open_tree(path).members["a.png"].read()


@pytest.mark.skipif(os.name != "posix", reason="needs a limit on the size of files, which stands in for a full disk")
def test_full_disk_is_not_a_damaged_archive(tmp_path):
    path = write_tar(tmp_path / "data.tar.gz", {"a.png": os.urandom(2**20)})
    script = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (9999, 9999))\n"
        f"from emonet.datasets.formats.tree import open_tree; open_tree({str(path)!r})"
    )
    result = subprocess.run([sys.executable, "-B", "-c", script], capture_output=True, text=True, check=False)
    assert result.stderr.splitlines()[-1] == "OSError: [Errno 27] File too large"


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.bz2", ".tar.xz"])
def test_tar_bomb_is_refused(suffix, tmp_path):
    path = write_tar(tmp_path / f"bomb{suffix}", {"zeros.png": bytes(BOMB)})
    with pytest.raises(DatasetError, match=r"bomb.*: it expands to more than [\d,]+ bytes"):
        open_tree(path)


@pytest.mark.parametrize("suffix", ARCHIVES)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_part_of_an_archive_is_refused(suffix, share, tmp_path):
    path = write_archive(tmp_path / f"data{suffix}", {f"{number}.png": os.urandom(5000) for number in range(8)})
    path.write_bytes(path.read_bytes()[: int(share * 8 * 5000)])
    with pytest.raises(DatasetError, match=rf"data{suffix}: not a complete"):
        open_tree(path)


@pytest.mark.parametrize("suffix", ARCHIVES)
def test_other_file_named_like_an_archive_is_refused(suffix, tmp_path):
    path = tmp_path / f"data{suffix}"
    path.write_bytes(b"<!DOCTYPE html><p>Sign in to go on</p>" * 100)
    with pytest.raises(DatasetError, match=rf"data{suffix}: not a complete"):
        open_tree(path)


def test_encrypted_members_are_refused(tmp_path):
    path = write_zip(tmp_path / "data.zip", {"a.png": b"x"})
    content = bytearray(path.read_bytes())
    for signature, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):  # where the flags lie in the two headers
        content[content.index(signature) + place] |= 1
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"data\.zip: a\.png is encrypted"):
        open_tree(path)


def test_damaged_member_is_an_oserror(tmp_path):
    path = write_zip(tmp_path / "data.zip", {"a.png": b"hello", "b.png": b"world"}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"hello", b"hullo", 1))
    members = open_tree(path).members
    assert members["b.png"].read() == b"world"
    with pytest.raises(OSError, match="damaged in its archive"):
        members["a.png"].read()


def test_archives_in_a_folder_are_opened(tmp_path):
    write_folder(tmp_path, {"frames/1.png": b"one"})
    write_zip(tmp_path / "frames/more.zip", {"2.png": b"two"})
    write_tar(tmp_path / "labels.tar.gz", {"labels/1.txt": b"label"})
    tree = open_tree(tmp_path)
    assert tree.archives() == ["frames/more.zip", "labels.tar.gz"]
    opened = tree.with_archives()
    assert contents(opened) == {"frames/1.png": b"one", "frames/2.png": b"two", "labels/1.txt": b"label"}
    assert opened.archives() == []


def test_archives_with_different_files_of_one_name_have_folders_of_their_own(tmp_path):
    write_zip(tmp_path / "train.zip", {"happy/0.png": b"one", "happy/1.png": b"two"})
    write_tar(tmp_path / "test.tar.gz", {"happy/0.png": b"three"})
    write_zip(tmp_path / "votes.zip", {"votes.txt": b"four"})
    assert contents(open_tree(tmp_path).with_archives()) == {
        "test/happy/0.png": b"three",
        "train/happy/0.png": b"one",
        "train/happy/1.png": b"two",
        "votes.txt": b"four",
    }


def test_archives_of_one_stem_keep_their_suffixes(tmp_path):
    for path in (tmp_path / "faces.tar", tmp_path / "faces.zip"):
        write_archive(path, {"happy/1.png": path.suffix.encode()})
    found = contents(open_tree(tmp_path).with_archives())
    assert found == {"faces/happy/1.png": b".tar", "faces.zip/happy/1.png": b".zip"}


def test_loose_files_and_other_files_of_an_archive_are_kept(tmp_path):
    write_folder(tmp_path, {"happy/1.png": b"loose", "happy/2.png": b"same", "faces/happy/2.png": b"of the name"})
    write_zip(tmp_path / "faces.zip", {"happy/1.png": b"packed", "happy/2.png": b"same"})
    write_zip(tmp_path / "same.zip", {"happy/2.png": b"same"})
    assert contents(open_tree(tmp_path).with_archives()) == {
        "happy/1.png": b"loose",
        "happy/2.png": b"same",
        "faces/happy/2.png": b"of the name",
        "faces.zip/happy/1.png": b"packed",
        "faces.zip/happy/2.png": b"same",
    }


def test_an_archive_that_is_there_twice_is_read_once(tmp_path):
    write_zip(tmp_path / "faces.zip")
    write_zip(tmp_path / "faces (1).zip")
    assert contents(open_tree(tmp_path).with_archives()) == FILES


@pytest.mark.parametrize("outer", ARCHIVES)
@pytest.mark.parametrize("inner", ARCHIVES)
def test_an_archive_in_an_archive_is_opened(outer, inner, tmp_path):
    packed = write_archive(tmp_path / f"inner{inner}").read_bytes()
    tree = open_tree(write_archive(tmp_path / f"outer{outer}", {f"deep/inner{inner}": packed, "list.txt": b"1"}))
    assert contents(tree.with_archives()) == {"list.txt": b"1"} | {f"deep/{name}": FILES[name] for name in FILES}


def test_archives_are_opened_two_deep_and_no_deeper(tmp_path):
    content = b"x"
    for name in ("a.png", "first.zip", "second.zip", "third.zip"):
        content = write_zip(tmp_path / "inner.zip", {name: content}).read_bytes()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "whole.zip").write_bytes(content)
    assert list(open_tree(tmp_path / "data").with_archives().members) == ["second.zip"]


def test_an_inner_archive_that_does_harm_is_refused_by_its_name(tmp_path):
    inner = write_zip(tmp_path / "inner.zip", {"../a.png": b"x"}).read_bytes()
    tree = open_tree(write_zip(tmp_path / "outer.zip", {"inner.zip": inner}))
    with pytest.raises(DatasetError, match=r"outer.zip/inner.zip: the member '../a.png' leads out"):
        tree.with_archives()


def test_a_member_is_unpacked_once(tmp_path):
    tree = open_tree(write_zip(tmp_path / "data.zip"))
    assert tree.plain_file("a/2.PNG") == tree.plain_file("a/2.PNG")


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
def test_plain_file_unpacks_a_member(suffix, tmp_path):
    tree = open_tree(write_archive(tmp_path / f"data{suffix}"))
    path, offset, size = tree.plain_file("a/2.PNG")
    assert path.read_bytes()[offset : offset + size] == FILES["a/2.PNG"]


def test_plain_file_of_a_folder_is_the_file(tmp_path):
    assert open_tree(write_folder(tmp_path)).plain_file("a/1.png") == (tmp_path / "a/1.png", 0, 3)


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
def test_temporary_files_are_removed_with_the_process(suffix, tmp_path):
    (tmp_path / "tmp").mkdir()
    path = write_archive(tmp_path / f"data{suffix}")
    script = f"from emonet.datasets.formats.tree import open_tree as read; read({str(path)!r}).plain_file('a/2.PNG')"
    subprocess.run([sys.executable, "-c", script], env=os.environ | {"TMPDIR": str(tmp_path / "tmp")}, check=True)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_what_a_killed_process_unpacked_is_removed_by_the_next_but_not_what_is_in_use(tmp_path):
    (tmp_path / "tmp").mkdir()
    path = write_archive(tmp_path / "data.tar.gz")
    script = (
        "import sys; from emonet.datasets.formats.tree import open_tree; "
        f"tree = open_tree({str(path)!r}); print(len(tree.members), flush=True); sys.stdin.read()"
    )
    command, environment = [sys.executable, "-c", script], os.environ | {"TMPDIR": str(tmp_path / "tmp")}
    begin = partial(subprocess.Popen, command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    with begin() as killed:
        killed.stdout.readline()
        killed.kill()
    left = list((tmp_path / "tmp").iterdir())
    os.utime(left[0] / "lock", (0, 0))  # a new folder may be about to be locked
    with begin() as working:
        working.stdout.readline()
        used = list((tmp_path / "tmp").iterdir())
        subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=True)
        still = list((tmp_path / "tmp").iterdir())
        working.stdin.close()

    assert len(left) == 1
    assert len(used) == 1
    assert used != left
    assert still == used
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("suffix", ["", *ARCHIVES])
def test_pickled_blobs_are_small(suffix, tmp_path):
    tree = open_tree(write_archive(tmp_path / f"data{suffix}") if suffix else write_folder(tmp_path / "data"))
    for name, blob in tree.members.items():
        assert pickle.loads(pickle.dumps(blob)).read() == FILES[name]
        assert len(pickle.dumps(blob)) < 1000
        assert name in blob.name


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # forks of processes with threads
def test_forked_processes_read_one_zip(tmp_path):
    files = {f"{number}.bin": os.urandom(20_000) for number in range(400)}
    blobs = list(open_tree(write_zip(tmp_path / "data.zip", files)).members.values())
    blobs[0].read()
    with ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as pool:
        read = list(pool.map(methodcaller("read"), blobs, chunksize=20))
    assert read == [files[blob.member] for blob in blobs]


def test_replaced_zip_is_read_again(tmp_path):
    path = write_zip(tmp_path / "data.zip", {"a.png": b"old"})
    assert contents(open_tree(path)) == {"a.png": b"old"}
    path.unlink()
    write_zip(path, {"a.png": b"new", "b.png": b"more"})
    assert contents(open_tree(path)) == {"a.png": b"new", "b.png": b"more"}


def changes(folder):
    """Ways in which a folder becomes another."""
    yield lambda: (folder / "a/1.png").write_bytes(b"eno")
    yield lambda: (folder / "a/1.png").rename(folder / "a/0.png")
    yield lambda: (folder / "b/new.txt").write_bytes(b"")
    yield lambda: (folder / "b/notes.txt").unlink()


@pytest.mark.parametrize("number", range(4))
def test_folder_hash_sees_every_change(number, tmp_path):
    before = hash_inputs(write_folder(tmp_path))
    (tmp_path / ".DS_Store").write_bytes(b"left behind")
    assert hash_inputs(tmp_path) == before
    list(changes(tmp_path))[number]()
    assert hash_inputs(tmp_path) != before


def test_file_hash_is_that_of_its_bytes(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"hello")
    assert hash_inputs(tmp_path / "a.csv").startswith("2cf24dba5fb0a30e26e83b2ac5b9e29e")


def test_files_on_another_drive_have_a_hash(tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_bytes(b"table")
    (tmp_path / "b.jpg").write_bytes(b"photo")
    monkeypatch.setattr(os.path, "relpath", lambda path, start: ntpath.relpath(f"D:{path}", f"C:{start}"))
    before = hash_inputs(tmp_path / "a.csv", [tmp_path / "b.jpg"])
    (tmp_path / "b.jpg").write_bytes(b"another")
    assert hash_inputs(tmp_path / "a.csv", [tmp_path / "b.jpg"]) != before


def test_unreadable_file_has_a_hash(tmp_path, monkeypatch):
    write_folder(tmp_path)
    fine = hash_inputs(tmp_path)
    opened = type(tmp_path).open

    def refuse(path, *arguments, **options):
        if path.name == "notes.txt":
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **options)

    monkeypatch.setattr(type(tmp_path), "open", refuse)
    assert hash_inputs(tmp_path) == hash_inputs(tmp_path) != fine
