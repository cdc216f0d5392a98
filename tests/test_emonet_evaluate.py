import json
import shutil
from pathlib import Path

import pytest
import trainings
from typer.testing import CliRunner

from emonet.commands import app
from emonet.evaluation import read_answers
from emonet.inference import load_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory, portrait):
    """A data set and a run on it."""
    folder = tmp_path_factory.mktemp("evaluate")
    trainings.trained(trainings.build_faces(folder, portrait), folder / "run", epochs=1)
    return folder


@pytest.fixture
def evaluated(folder):
    def run(*options):
        arguments = ["evaluate", str(folder / "run" / "model.safetensors"), str(folder / "store"), "--device", "cpu"]
        return CliRunner().invoke(app, [*arguments, *map(str, options)])

    return run


def test_the_command_shows_each_view_and_part(evaluated, folder):
    result = evaluated("--views", "none,ten_crop")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == f"run on validation of {folder / 'store'}"
    assert [line.split()[:3] for line in lines if ": all" in line] == [["none:", "all", "7"], ["ten_crop:", "all", "7"]]
    assert "parameters" in lines[-1]
    assert "nan" not in result.stdout.lower()


def test_json_is_all_there_is_on_standard_output(evaluated):
    told = json.loads(evaluated("--json", "--views", "none", "--beta", "0.5").stdout)
    assert list(told["scores"]) == ["none"]
    assert told["scores"]["none"]["all"]["beta"] == 0.5


def test_remarks_stand_on_standard_error(evaluated):
    result = evaluated("--split", "dev", "--views", "none")
    assert "this is no test" in result.stderr
    assert "this is no test" not in result.stdout


def test_the_report_is_written_with_the_curves_of_the_run(evaluated, tmp_path):
    result = evaluated("-o", tmp_path / "report", "--views", "none")
    assert result.exit_code == 0
    assert f"look at {tmp_path / 'report' / 'report.html'}" in result.stdout
    assert json.loads((tmp_path / "report" / "evaluation.json").read_text())["name"] == "run"
    assert (tmp_path / "report" / "curves.png").is_file()


def test_the_card_has_the_command_and_a_file_its_own_name(folder, tmp_path):
    model = tmp_path / "quick.safetensors"
    shutil.copy(folder / "run" / "model.safetensors", model)
    arguments = [model, folder / "store", "--views", "none", "--beta", "1", "--sizes", "", "-o", tmp_path / "report"]
    assert CliRunner().invoke(app, ["evaluate", *map(str, arguments)]).exit_code == 0
    card = (tmp_path / "report" / "card.md").read_text()
    assert card.startswith("# quick: a model card")
    assert f"`emonet evaluate {model} store --split validation --views none --beta 1`" in card


def test_a_folder_of_a_run_has_the_name_and_the_curves_of_the_run(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder / "run")  # whose log is not the bundled model's
    (folder / "log.csv").write_text("somebody else's")
    for model, name, curves in ((folder / "run", "run", True), ("emonet_fast", "emonet_fast", False)):
        arguments = [
            model,
            folder / "store",
            "--device",
            "cpu",
            "--views",
            "none",
            "--sizes",
            "",
            "-o",
            tmp_path / name,
        ]
        result = CliRunner().invoke(app, ["evaluate", *map(str, arguments)])
        assert result.exit_code == 0, result.output
        assert (tmp_path / name / "curves.png").is_file() == curves
        assert Path(json.loads((tmp_path / name / "evaluation.json").read_text())["name"]).name == name


def test_the_report_comes_with_every_answer(evaluated, tmp_path):
    assert evaluated("-o", tmp_path, "--views", "none,mirror", "--sizes", "").exit_code == 0
    answers = read_answers(tmp_path)
    scores = json.loads((tmp_path / "evaluation.json").read_text())["scores"]
    assert {view: answers.right(view).mean() for view in answers.views} == {
        view: pytest.approx(scores[view]["all"]["accuracy"]) for view in ("none", "mirror")
    }
    assert answers.name == "run"


def test_a_whole_data_set_can_be_scored(evaluated):
    told = json.loads(evaluated("--split", "all", "--source", "fer2013", "--views", "none", "--json").stdout)
    assert (told["split"], told["sources"], told["scores"]["none"]["all"]["n"]) == ("all", ["fer2013"], 49)
    shown = evaluated("--split", "all", "--views", "none")
    assert "as are 35 of the 49 images" in shown.stderr
    assert "95 %: Wilson" in shown.stdout
    assert "has no source jaffe; it has fer2013" in str(evaluated("--source", "fer2013,jaffe").exception)


def test_reports_and_whoever_asks_get_scores_by_size_of_the_face(evaluated, tmp_path):
    report = json.loads(evaluated("-o", tmp_path, "--views", "none", "--json").stdout)
    assert [one["size"] for one in report["sizes"]] == [48, 32, 24, 16, 12]
    assert report["sizes"][0]["accuracy"] == report["scores"]["none"]["all"]["accuracy"]
    assert "accuracy by size of the face, none: 24 px" in evaluated("--sizes", "24, 12").stdout
    assert json.loads(evaluated("--json").stdout)["sizes"] == []
    assert json.loads(evaluated("-o", tmp_path, "--sizes", "", "--json").stdout)["sizes"] == []


@pytest.mark.parametrize("sizes", ["48,small", "-3", "0", "1.5"])
def test_sizes_that_are_no_numbers_of_pixels_are_refused(evaluated, sizes):
    result = evaluated("--sizes", sizes)
    assert isinstance(result.exception, ValueError)
    assert "sizes must be" in str(result.exception)


def test_a_split_that_is_missing_is_an_error_without_a_traceback(evaluated):
    result = evaluated("--split", "dev2")
    assert isinstance(result.exception, ValueError)
    assert "no split 'dev2'; it has train, dev, validation, test" in str(result.exception)


def test_models_are_names_or_files(folder):
    assert load_model(folder / "run" / "model.safetensors").model == "tuned_five"
    with pytest.raises(ValueError, match="no model 'emonett': there are emonet, emonet_fast, and model files"):
        load_model("emonett")
    with pytest.raises(FileNotFoundError, match="no such model file"):
        load_model("runs/emonet")
