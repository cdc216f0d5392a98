"""docs/results.md says what the evaluations beside it say."""

import subprocess
import sys


def table(root, folder):
    command = [sys.executable, root / "tools" / "results_table.py", folder]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_table_is_that_of_the_evaluations(root):
    printed = table(root, root / "results" / "runs")
    assert printed.returncode == 0
    assert printed.stdout in (root / "docs" / "results.md").read_text()


def test_every_evaluation_has_the_log_of_its_training(root):
    runs = root / "results" / "runs"
    assert {path.stem for path in runs.glob("*.json")} == {path.stem for path in runs.glob("*.csv")}


def test_a_folder_without_evaluations_is_a_callers_mistake(root, tmp_path):
    printed = table(root, tmp_path)
    assert printed.returncode == 1
    assert "`emonet evaluate -o` writes evaluation.json" in printed.stderr
