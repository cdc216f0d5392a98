import csv
import sys
from dataclasses import replace

import pytest
from PIL import Image
from torch import nn

from emonet.training.curves import draw_curves
from emonet.training.log import EpochRow, read_rows, write_rows
from emonet.training.record import TAGS, TensorBoardLog


def row(epoch, **figures):
    return EpochRow(
        **{
            "epoch": epoch,
            "step": 10 * epoch,
            "learning_rate": 0.1 / epoch,
            "train_loss": 1 / epoch,
            "train_accuracy": 1 - 0.5 / epoch,
            "dev_loss": 1.2 / epoch,
            "dev_accuracy": 0.75 - 0.25 / epoch,
            "dev_macro_f1": 0.7 - 0.25 / epoch,
            "dev_seen_loss": 1 / epoch,
            "dev_seen_accuracy": 0.8 - 0.25 / epoch,
            "dev_seen_macro_f1": 0.5 - 0.25 / epoch,
            "seconds": 12.5,
            "waiting_share": 0.01,
            "pictures_per_second": 1 / 3,
        }
        | figures
    )


def without_dev(epoch):
    return without_seen(replace(row(epoch), dev_loss=None, dev_accuracy=None, dev_macro_f1=None))


def without_seen(line):
    return replace(line, dev_seen_loss=None, dev_seen_accuracy=None, dev_seen_macro_f1=None)


def test_the_gap_is_train_less_dev_accuracy():
    assert row(1).gap == 0.0
    assert row(2, train_accuracy=0.5, dev_accuracy=0.75).gap == -0.25
    assert without_dev(1).gap is None


def test_logs_without_columns_for_votes_can_be_read(tmp_path):
    path = tmp_path / "log.csv"
    write_rows(path, [without_seen(row(1))])
    with path.open(newline="") as file:
        cells = [{name: cell for name, cell in line.items() if "seen" not in name} for line in csv.DictReader(file)]
    path.write_text("\n".join([",".join(cells[0]), ",".join(cells[0].values())]) + "\n")
    assert read_rows(path) == [without_seen(row(1))]


def test_epochs_are_compared_by_the_mean_of_labels_and_votes():
    assert row(1).measure_on_dev("accuracy") == pytest.approx(0.525)
    assert without_seen(row(1)).measure_on_dev("accuracy") == 0.5


@pytest.mark.parametrize("rows", [[], [row(1)], [row(1), row(2), row(3)], [without_dev(1), without_dev(2)]])
def test_a_log_is_read_back_to_the_last_bit(tmp_path, rows):
    write_rows(tmp_path / "log.csv", rows)
    assert read_rows(tmp_path / "log.csv") == rows


def test_writing_again_replaces_the_log(tmp_path):
    write_rows(tmp_path / "log.csv", [row(1), row(2), row(3)])
    write_rows(tmp_path / "log.csv", [row(1), row(2)])
    assert [line.epoch for line in read_rows(tmp_path / "log.csv")] == [1, 2]
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]


def test_a_log_is_plain_csv_with_empty_cells_for_none(tmp_path):
    write_rows(tmp_path / "log.csv", [row(2), without_dev(3)])
    with (tmp_path / "log.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["epoch"], first["dev_accuracy"], first["gap"]) == ("2", "0.625", "0.125")
    assert (second["dev_accuracy"], second["gap"]) == ("", "")


def test_a_missing_log_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"log\.csv"):
        read_rows(tmp_path / "log.csv")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("train_loss", "loss", "its first line must be epoch,step,"),
        ("12.5", "long", r"log\.csv, line 3: .*long"),
        ("12.5", "", r"log\.csv, line 3"),
        (",12.5,0.01,", ",", r"log\.csv, line 3"),
    ],
)
def test_a_damaged_log_is_refused(tmp_path, old, new, words):
    write_rows(tmp_path / "log.csv", [row(1, seconds=3.0), row(2)])
    text = (tmp_path / "log.csv").read_text()
    (tmp_path / "log.csv").write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=words):
        read_rows(tmp_path / "log.csv")


def log_epochs(folder, rows, done=()):
    log = TensorBoardLog(folder, done)
    for line in rows:
        log.write(line, nn.Linear(2, 3))
    log.close()


def events(folder):
    """Read what TensorBoard shows of a folder."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0, "histograms": 0})
    return accumulator.Reload()


def test_tensorboard_shows_every_figure_and_the_weights(tmp_path):
    log_epochs(tmp_path, [row(1), row(2)])
    shown = events(tmp_path)
    assert set(shown.Tags()["scalars"]) == set(TAGS)
    assert [(event.step, event.value) for event in shown.Scalars("accuracy/gap")] == [(1, 0.0), (2, 0.125)]
    assert shown.Tags()["histograms"] == ["weight", "bias"]
    assert [event.histogram_value.num for event in shown.Histograms("weight")] == [6, 6]


def test_tensorboard_shows_no_dev_figures_without_dev(tmp_path):
    log_epochs(tmp_path, [without_dev(1)])
    shown = set(events(tmp_path).Tags()["scalars"])
    assert set(TAGS) - shown == {
        "loss/dev",
        "accuracy/dev",
        "accuracy/dev_seen",
        "accuracy/gap",
        "macro_f1/dev",
    }


def test_tensorboard_shows_each_epoch_of_a_resumed_run_once(tmp_path):
    log_epochs(tmp_path, [row(1), row(2), row(3, train_loss=9.0)])
    log_epochs(tmp_path, [row(3), row(4)], done=[row(1), row(2)])
    shown = events(tmp_path)
    assert [event.step for event in shown.Scalars("loss/train")] == [1, 2, 3, 4]
    assert shown.Scalars("loss/train")[2].value == pytest.approx(1 / 3)
    assert [event.step for event in shown.Histograms("bias")] == [1, 2, 3, 4]


def test_tensorboard_hides_epochs_of_an_overwritten_run(tmp_path):
    log_epochs(tmp_path, [row(1), row(2)])
    log_epochs(tmp_path, [row(1)])
    assert [event.step for event in events(tmp_path).Scalars("loss/train")] == [1]


def test_tensorboard_shows_an_epoch_at_once(tmp_path):
    log = TensorBoardLog(tmp_path)
    log.write(row(1), nn.Linear(2, 3))
    assert [event.step for event in events(tmp_path).Scalars("loss/train")] == [1]
    log.close()


def test_missing_tensorboard_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ImportError, match=r'pip install "emonet\[log\]"'):
        TensorBoardLog(tmp_path)


@pytest.mark.parametrize(
    "rows",
    [
        [row(1)],
        [without_dev(1)],
        [row(epoch) for epoch in range(1, 31)],
        [without_dev(1), row(2), without_dev(3)],
        [row(1), row(2, train_loss=float("nan"), dev_loss=float("inf"))],
    ],
    ids=["one", "one without dev", "many", "dev now and then", "diverged"],
)
def test_curves_are_a_png_of_fixed_size(tmp_path, rows):
    draw_curves(rows, tmp_path / "curves.png", title="a run of $5 and $6")
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]
    with Image.open(tmp_path / "curves.png") as image:
        assert (image.format, image.size) == ("PNG", (1500, 1125))


def words_of(monkeypatch, tmp_path, rows):
    """Return the words in the panel of the accuracy."""
    from matplotlib.figure import Figure

    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, path, **_: (drawn.append(figure), path.touch()))
    draw_curves(rows, tmp_path / "curves.png")
    accuracy = drawn[0].axes[1]
    return [accuracy.get_title(loc="right"), *(text.get_text() for text in accuracy.texts)]


def test_curves_tell_the_best_epoch_and_the_last_gap(tmp_path, monkeypatch):
    rows = [row(1), row(2, dev_accuracy=0.7), row(3, dev_accuracy=0.7), row(4, train_accuracy=0.9, dev_accuracy=0.65)]
    title, gap = words_of(monkeypatch, tmp_path, rows)
    assert title == "highest on dev: 70.00 % after epoch 2"
    assert gap == "gap\n+25.0\npoints"


def test_curves_without_dev_mark_no_best_epoch(tmp_path, monkeypatch):
    assert words_of(monkeypatch, tmp_path, [without_dev(1), without_dev(2)]) == [""]


def test_curves_without_epochs_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no epochs"):
        draw_curves([], tmp_path / "curves.png")


def test_drawing_curves_does_not_import_pyplot(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)  # importing it fails
    draw_curves([row(1)], tmp_path / "curves.png")
    assert (tmp_path / "curves.png").is_file()
