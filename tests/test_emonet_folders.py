"""Commands write into folders of their own, and into no other."""

import pytest
from typer.testing import CliRunner

from emonet.commands import app
from emonet.errors import OptionError
from emonet.folders import check_own


@pytest.mark.parametrize(
    "command", [("train", "store"), ("evaluate", "emonet_fast", "store"), ("compare", "a", "b"), ("demo",)]
)
def test_nothing_is_written_among_photos(command, tmp_path):
    (tmp_path / "me.jpg").write_bytes(b"a photo")
    error = CliRunner().invoke(app, [*command, "-o", str(tmp_path)]).exception
    assert isinstance(error, OptionError)
    assert "holds other things than a" in str(error)
    assert "'me.jpg'" in str(error)
    assert [path.name for path in tmp_path.iterdir()] == ["me.jpg"]


def test_new_and_empty_folders_and_ones_own_are_written_into(tmp_path):
    check_own(tmp_path / "new", "a report", ["report.json"])
    (tmp_path / ".DS_Store").touch()
    (tmp_path / "Thumbs.db").touch()
    check_own(tmp_path, "a report", ["report.json"])
    (tmp_path / "notes.txt").touch()
    with pytest.raises(OptionError, match=r"holds other things than a report, such as 'notes\.txt': take care"):
        check_own(tmp_path, "a report", ["report.json"], "take care")
    (tmp_path / "report.json").touch()
    check_own(tmp_path, "a report", ["report.json"])
    with pytest.raises(OptionError, match="is a file"):
        check_own(tmp_path / "report.json", "a report", [])
