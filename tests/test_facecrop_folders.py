import os
import socket
import subprocess

import numpy as np
import PIL.Image
import pytest

from facecrop import ImageError, iter_images
from facecrop.folders import iter_files


def save(path, colour="red"):
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.new("RGB", (6, 4), colour).save(path, "PNG")
    return path


def test_photos_come_sorted_folder_by_folder(tmp_path):
    paths = [save(tmp_path / name) for name in ("a.png", "b/x.png", "b/y/z.png", "c.png")]
    assert [path for path, _ in iter_images(tmp_path)] == paths
    assert all(image.shape == (4, 6, 3) for _, image in iter_images(str(tmp_path)))


def test_an_unreadable_file_yields_its_error(tmp_path):
    save(tmp_path / "good.png")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "notes.txt").write_text("a text")
    found = dict(iter_images(tmp_path))
    assert isinstance(found[tmp_path / "good.png"], np.ndarray)
    assert found[tmp_path / "empty.jpg"].reason == "the file is empty"
    assert isinstance(found[tmp_path / "notes.txt"], ImageError)
    assert found[tmp_path / "notes.txt"].path == tmp_path / "notes.txt"


def test_images_are_read_one_at_a_time(tmp_path):
    save(tmp_path / "a.png")
    save(tmp_path / "b.png")
    walk = iter_images(tmp_path)
    next(walk)
    (tmp_path / "b.png").unlink()
    path, error = next(walk)
    assert (path.name, error.reason) == ("b.png", "was removed while the folder was read")


def test_hidden_and_system_files_are_passed_over(tmp_path):
    for name in (".DS_Store", "._a.png", ".thumbnails/a.png", "Thumbs.db", "a.png"):
        save(tmp_path / name)
    assert [path.name for path, _ in iter_images(tmp_path)] == ["a.png"]


def test_links_are_followed_where_that_is_asked_for(tmp_path):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for place in (inside / "a" / "1.png", outside / "b" / "2.png", tmp_path / "3.png"):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"x")
    links = {
        "again": inside / "a",  # listed as it is
        "b": outside / "b",
        "c": outside / "b",  # once is enough
        "up": tmp_path,  # would hold the folder itself
        "3.png": tmp_path / "3.png",
        "4.png": inside / "a" / "1.png",
        "gone": tmp_path / "gone",
        "loop": inside / "loop",
    }
    for name, target in links.items():
        (inside / name).symlink_to(target)
    (outside / "b" / "back").symlink_to(inside)
    found = {path.relative_to(inside).as_posix(): failure for path, failure in iter_files(inside, follow=True)}
    assert [name for name, failure in found.items() if not failure] == ["3.png", "4.png", "a/1.png", "b/2.png"]
    broken = {name: failure.reason for name, failure in found.items() if failure}
    assert broken == dict.fromkeys(("gone", "loop"), "is a link to a file that is not there")
    assert [path.name for path, _ in iter_files(inside)] == ["1.png"]


def test_a_link_that_may_not_be_followed_yields_its_error(tmp_path, monkeypatch):
    (tmp_path / "a.png").touch()
    (tmp_path / "b.png").symlink_to("locked/b.png")
    stat = os.stat

    def refuse(path, **options):
        if os.fspath(path).endswith("b.png") and options.get("follow_symlinks", True):
            raise PermissionError(13, "Permission denied")
        return stat(path, **options)

    monkeypatch.setattr(os, "stat", refuse)
    (fine, none), (link, error) = iter_files(tmp_path, follow=True)
    assert (fine.name, none, link.name) == ("a.png", None, "b.png")
    assert error.reason == "is a link that cannot be followed: Permission denied"


def test_links_inside_the_folder_are_not_followed(tmp_path):
    outside = save(tmp_path / "outside" / "secret.png")
    inside = save(tmp_path / "photos" / "sub" / "a.png")
    photos = tmp_path / "photos"
    (photos / "loop").symlink_to(photos)
    (photos / "sub" / "up").symlink_to("..")
    (photos / "out").symlink_to(outside.parent)
    (photos / "file.png").symlink_to(outside)
    (photos / "dangling.png").symlink_to("nowhere.png")
    assert [path for path, _ in iter_images(photos)] == [inside]


def test_the_folder_itself_may_be_a_link(tmp_path):
    save(tmp_path / "photos" / "a.png")
    (tmp_path / "link").symlink_to("photos")
    assert [path for path, _ in iter_images(tmp_path / "link")] == [tmp_path / "link" / "a.png"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_fifos_and_sockets_are_not_opened(tmp_path, monkeypatch):
    save(tmp_path / "a.png")
    os.mkfifo(tmp_path / "pipe.jpg")
    monkeypatch.chdir(tmp_path)  # a socket's name must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.jpg")
        assert [path.name for path, _ in iter_images(tmp_path)] == ["a.png"]


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX only")
def test_file_names_with_newlines_and_odd_bytes_are_kept(tmp_path):
    names = [b"line\nbreak.png", b"odd \xff\xfe.png", "ünï \U0001f600.png".encode()]
    for name in names:
        save(tmp_path / os.fsdecode(name))
    (tmp_path / os.fsdecode(b"bad \xff\n.jpg")).touch()
    found = list(iter_images(tmp_path))
    assert sorted(os.fsencode(path.name) for path, image in found if not isinstance(image, ImageError)) == sorted(names)
    (message,) = [str(image) for _, image in found if isinstance(image, ImageError)]
    assert message.isprintable()
    assert message.endswith(r"bad \xff\n.jpg: the file is empty")


def test_a_folder_that_cannot_be_listed_yields_its_error(tmp_path, monkeypatch):
    save(tmp_path / "locked" / "a.png")
    save(tmp_path / "open.png")
    scandir = os.scandir

    def refuse(folder):
        if os.fspath(folder).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    (locked, error), (fine, none) = iter_files(tmp_path)
    assert (locked.name, error.reason) == ("locked", "cannot be listed: Permission denied")
    assert (fine.name, none) == ("open.png", None)


def test_a_missing_folder_is_refused_at_the_call(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        iter_images(tmp_path / "nowhere")


@pytest.mark.skipif(os.mkdir not in os.supports_dir_fd, reason="this system has shorter paths")
def test_folders_far_deeper_than_python_calls_are_listed(tmp_path):
    here = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(1100):
            os.mkdir("d", dir_fd=here)
            below = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        with os.fdopen(os.open("a.png", os.O_WRONLY | os.O_CREAT, dir_fd=here), "wb") as file:
            PIL.Image.new("RGB", (6, 4)).save(file, "PNG")
    finally:
        os.close(here)
    try:
        ((path, failure),) = iter_files(tmp_path)
    finally:
        subprocess.run(["rm", "-r", tmp_path / "d"], check=True)  # Python cannot remove it
    assert (path.name, failure) == ("a.png", None)


def test_folders_that_are_skipped_are_not_listed(tmp_path):
    paths = [save(tmp_path / name) for name in ("a.png", "b/x.png", "b/y/z.png", "c.png")]
    assert [path for path, _ in iter_files(tmp_path, lambda folder: folder.name == "b")] == [paths[0], paths[3]]
