import threading
import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import PIL.Image
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from facecrop import Face, ImageError, OptionError
from facecrop.side_by_side import map_photos
from facecrop.threads import use_one_thread

THREADS = 3


def black(width, height):
    return np.zeros((height, width, 3), np.uint8)


def names_and_shapes(batch):
    return [(one.name, None if isinstance(one.image, ImageError) else one.image.shape[:2]) for one in batch]


def len_of_each(batch):
    return [len(one.image) for one in batch]


def test_results_come_in_the_order_of_the_photos(tmp_path):
    photos = [(number, black(10 + number, 20)) for number in range(100)]
    photos[7] = (7, ImageError("gone.jpg", "cannot be listed"))
    photos[8] = (8, tmp_path / "nowhere.jpg")

    def work(batch):
        time.sleep(0.01 * (batch[0].name % 3))
        return names_and_shapes(batch)

    found = list(map_photos(photos, work, threads=THREADS, most=4))
    assert found == [(number, None if number in (7, 8) else (20, 10 + number)) for number in range(100)]


def test_photos_are_worked_on_side_by_side():
    together = threading.Barrier(THREADS)  # breaks unless all threads are in `work` at the same time

    def work(batch):
        together.wait(timeout=60)
        return [threading.get_ident() for _ in batch]

    found = list(map_photos([(number, black(9, 9)) for number in range(9)], work, threads=THREADS, most=1))
    assert len(set(found)) == THREADS


def test_small_photos_come_together_and_large_ones_alone():
    photos = [("a", black(1000, 1000)), ("b", black(1000, 1000)), ("c", black(2500, 2500)), ("d", black(10, 10))]
    batches = list(map_photos(photos, lambda batch: [[one.name for one in batch]] * len(batch), threads=1))
    assert batches == [["a", "b"], ["a", "b"], ["c"], ["d"]]


def test_the_pixels_in_memory_are_limited(monkeypatch):
    monkeypatch.setattr("facecrop.side_by_side.PIXELS", 10_000)
    held, most, lock = [0], [0], threading.Lock()

    def work(batch):
        pixels = sum(one.image.shape[0] * one.image.shape[1] for one in batch)
        with lock:
            held[0] += pixels
            most[0] = max(most[0], held[0])
        time.sleep(0.01)
        with lock:
            held[0] -= pixels
        return batch

    sides = [40, 70, 120, 40, 50, 60, 100, 30, 70] * 3  # 120: more than may be in memory, so it is there alone
    photos = [(number, black(side, side)) for number, side in enumerate(sides)]
    assert len(list(map_photos(photos, work, threads=THREADS, most=1))) == len(sides)
    assert most[0] <= 120 * 120


def count_threads():
    blas = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    return torch.get_num_threads(), cv2.getNumThreads(), *blas


@pytest.fixture
def two_threads():
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(2)
    cv2.setNumThreads(2)
    with ThreadPoolExecutor(1) as other:  # while a thread lives that has set limits of its own, no other sets any
        blas = other.submit(threadpool_limits, 2, "blas").result()
    yield
    with ThreadPoolExecutor(1) as other:
        other.submit(blas.restore_original_limits).result()
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


@pytest.mark.usefixtures("two_threads")
def test_networks_and_matrix_products_have_one_thread_meanwhile():
    assert len(count_threads()) > 2
    assert set(count_threads()) == {2}
    found = list(map_photos([(0, black(9, 9))], lambda _: [count_threads()], threads=2))
    assert set(found[0]) == {1}
    assert set(count_threads()) == {2}


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("known", [True, False])
def test_threads_that_leave_in_the_order_in_which_they_came_get_their_own_back(known):
    """The limits of the first stayed, for the second took them for what it had found."""
    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second, ThreadPoolExecutor(1) as new:
        workers = (first, second) if known else (first,)  # torch keeps a number for each thread that has asked
        assert [set(one.submit(count_threads).result()) for one in workers] == [{2}] * len(workers)
        of_first = first.submit(use_one_thread).result()
        of_second = second.submit(use_one_thread).result()
        first.submit(of_first.close).result()
        assert set(second.submit(count_threads).result()) == {1}
        assert set(new.submit(count_threads).result()) == {1}
        assert first.submit(torch.get_num_threads).result() == 2
        second.submit(of_second.close).result()
        assert [set(one.submit(count_threads).result()) for one in (first, second)] == [{2}, {2}]


@pytest.mark.usefixtures("two_threads")
def test_limits_inside_others_end_with_the_outermost():
    with use_one_thread():
        with use_one_thread():
            assert set(count_threads()) == {1}
        assert set(count_threads()) == {1}
    assert set(count_threads()) == {2}


def test_an_error_ends_the_run_and_the_threads():
    def work(batch):
        if batch[0].name == 5:
            raise OptionError("five")
        return [one.name for one in batch]

    found, running = [], threading.active_count()
    with pytest.raises(OptionError, match="five"):
        found.extend(map_photos([(number, black(9, 9)) for number in range(50)], work, threads=2, most=1))
    assert threading.active_count() == running


def test_runs_that_overlap_leave_the_memory_of_images_as_it_was():
    before = PIL.Image.core.get_block_size()
    first, second = (map_photos([(0, black(9, 9)), (1, black(9, 9))], len_of_each, threads=1) for _ in range(2))
    next(first)
    next(second)
    inside = PIL.Image.core.get_block_size()
    first.close()
    second.close()
    assert PIL.Image.core.get_block_size() == before < inside


def test_photos_are_read_only_a_little_ahead():
    asked = []

    def photos():
        for number in range(1000):
            asked.append(number)
            yield number, black(9, 9)

    next(map_photos(photos(), names_and_shapes, threads=2, most=4))
    assert len(asked) < 40


@pytest.mark.parametrize("file_format", ["PNG", "JPEG"])
def test_very_large_photos_are_read_at_half_their_size(tmp_path, monkeypatch, file_format):
    monkeypatch.setattr("facecrop.images.LARGE", 1_000_000)
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    image = PIL.Image.new("RGB", (1401, 1000), "red")
    image.paste("blue", (0, 0, 700, 1000))
    image.save(tmp_path / "a", file_format, exif=exif, quality=95)
    (photo,) = map_photos([("a", tmp_path / "a")], lambda batch: batch, threads=1)
    assert (photo.size_wh, photo.scale) == ((1000, 1401), 2)
    assert photo.image.shape[0] in (700, 701)
    assert photo.image.shape[1] == 500
    assert photo.image[:340].mean(axis=(0, 1)).round().tolist() == pytest.approx([0, 0, 255], abs=3)
    assert photo.place(Face((10, 20, 30, 40), score=1.0)).box == (20, 40, 60, 80)
