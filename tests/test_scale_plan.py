"""The plan of a larger build is what its arithmetic says, and the tables are those of the figures."""

import numpy as np
import pytest


@pytest.fixture
def scale_plan(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "benchmarks"))
    import scale_plan

    return scale_plan


def build(images, engine, decisions):
    shared = {"start": 4.0, "rss": 300.0, "pss": 900.0}
    return {
        "images": images,
        "engine": engine,
        "seconds": 60.0,
        "crops": images / 1000,
        "decisions": decisions,
    } | shared


@pytest.fixture
def measured():
    """Two cores take 5 s, 0.5 ms an image, and 1 ns for each image and image; one core takes twice as long."""
    sizes = (10_000, 100_000, 1_000_000)
    seconds = {n: 5 + n / 2000 + n * n * 1e-9 for n in sizes}
    return {
        "builds": [build(n, f"spark {p}", seconds[n] * 2 / p) for n in sizes for p in (1, 2)],
        "driver": {"hand out chunks": {"bytes": 300.0, "cpu": 9.0}, "decide": {"bytes": 1000.0, "cpu": 36e-6}},
    }


def test_parts_of_the_growth_are_found(scale_plan):
    images = np.array([10_000.0, 100_000.0, 1_000_000.0])
    found = scale_plan.fit_growth(images, 10 + images / 1000 + images**2 * 2e-9)
    assert found == pytest.approx((10, 1e-3, 2e-9), rel=1e-3)
    assert scale_plan.fit_growth(images[:1], np.array([10.0])) == pytest.approx((0, 1e-3, 0))


def test_plan_shows_core_hours_cost_and_what_breaks_first(scale_plan, measured, capsys):
    scale_plan.print_plan(
        measured, scale_plan.Terms(100_000_000, price=0.1, hours=24, cores=4, driver_gib=64, rate=1e10)
    )
    told = capsys.readouterr().out
    rows = dict(line.split(" | ")[:2] for line in told.splitlines() if line.startswith("| "))
    assert rows["| crops"] == "28 core hours"
    assert rows["| decisions, linear"] == "28 core hours"
    assert rows["| decisions, square"] == "5,556 core hours"
    assert rows["| executors"] == "59 of 4 cores"
    assert rows["| cost"] == "561"
    assert rows["| memory of the driver"] == "93 GiB"
    assert rows["| the driver alone"] == "1.0 hours"
    limits = [line for line in told.splitlines() if line[:3] in ("1. ", "2. ", "3. ", "4. ")]
    assert "search for altered copies" in limits[0]
    assert limits[0].startswith("1. at 1,000,000 images")
    assert "68,719,477 images: the driver's memory" in told


def test_square_part_is_counted_where_small_builds_do_not_show_it(scale_plan, capsys):
    few = {"leaks": "near", "builds": [build(n, "spark 2", 60.0) for n in (2_000, 6_000)]}
    scale_plan.print_plan(few, scale_plan.Terms(100_000_000, price=0.1, hours=24, cores=4, driver_gib=64, rate=1e10))
    assert "| decisions, square | 17,100 core hours |" in capsys.readouterr().out


def test_tables_show_builds_and_how_they_grow(scale_plan, measured, capsys):
    scale_plan.print_measured(measured)
    told = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("| 10,000 |") for line in told) == 2
    assert "| spark 2 | 100.0 | 100.0 | 149.0 | 1.0 |" in told
    assert "| decide | 1,000 | 36 |" in told


def test_wider_bands_find_fewer_near_copies(scale_plan):
    found = [scale_plan.find_recall(images, 6) for images in (36_000, 1_000_000, 100_000_000)]
    assert found == sorted(found, reverse=True)
    assert found[0] == pytest.approx(1, abs=0.01)
    assert scale_plan.find_recall(36_000, 0) == 1
