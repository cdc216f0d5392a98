"""The files around the code agree: versions, pinned tools, workflows that call the targets that people call."""

import re
import tomllib

import pytest
import yaml
from find_slow import find_slow

import emonet

PINNED = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40}")


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def jobs(root):
    """Every job of every workflow, by name."""
    workflows = {path.stem: read(path) for path in (root / ".github" / "workflows").glob("*.yml")}
    return {f"{name}/{job}": content for name, one in workflows.items() for job, content in one["jobs"].items()}


def read(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def list_steps(jobs, key):
    return [step[key] for job in jobs.values() for step in job["steps"] if key in step]


def test_workflows_use_actions_by_their_hash(jobs):
    assert [action for action in list_steps(jobs, "uses") if not PINNED.fullmatch(action)] == []


def test_workflows_call_targets_of_the_makefile(root, jobs):
    called = {target for line in list_steps(jobs, "run") for target in re.findall(r"\bmake ([\w-]+)", line)}
    targets = re.findall(r"^([\w-]+):", (root / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {"check", "test-all", "lowest", "smoke", "wheel", "bare", "demo-light", "docs"} <= called <= set(targets)


def test_the_gate_calls_targets_of_the_makefile(root):
    gate = (root / ".ci" / "run").read_text(encoding="utf-8")
    assert re.findall(r"^make ([\w-]+)", gate, re.MULTILINE) == ["check", "docs", "test-all", "bare", "demo-light"]


def test_workflows_test_every_python_that_the_classifiers_name(project, jobs):
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(project["project"]["classifiers"]))
    assert jobs["tests/linux"]["strategy"]["matrix"]["python"] == named
    assert project["project"]["requires-python"] == f">={named[0]}"


def test_every_job_ends_by_itself_and_has_a_short_limit(jobs):
    assert {
        name: job.get("timeout-minutes", 999) for name, job in jobs.items() if job.get("timeout-minutes", 999) > 60
    } == {}


def test_pre_commit_runs_the_ruff_and_the_mypy_of_the_project(root, project):
    pins = dict(pin.split("==") for pin in project["dependency-groups"]["lint"])
    text = (root / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    ruff, local = read(root / ".pre-commit-config.yaml")["repos"]
    assert ruff["rev"] == f"v{pins['ruff']}"
    assert local["hooks"][0]["entry"] == ".venv/bin/mypy"
    assert f"mypy=={pins['mypy']}" in text


def test_the_citation_and_the_changelog_know_the_version(root):
    assert read(root / "CITATION.cff")["version"] == emonet.__version__
    assert f"## [{emonet.__version__}]" in (root / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_slow_test_exists(root):
    def exists(file, test):
        return (root / file).is_file() and (not test or f"def {test}(" in (root / file).read_text(encoding="utf-8"))

    names = (root / "tests" / "slow.txt").read_text(encoding="utf-8").split()
    assert [name for name in names if not exists(*name.partition("::")[::2])] == []


def test_slow_tests_are_found_in_a_log():
    log = """
6.00s call     tests/test_one.py::test_long
3.00s call     tests/test_one.py::test_cases[a]
3.00s call     tests/test_one.py::test_cases[b]
4.00s call     tests/test_one.py::test_short
19.00s setup    tests/test_two.py::test_first
8.00s call     tests/test_two.py::test_second
"""
    assert find_slow(log) == ["tests/test_one.py::test_cases", "tests/test_one.py::test_long", "tests/test_two.py"]
    assert find_slow(log, 1.5) == ["tests/test_two.py::test_second"]


@pytest.mark.parametrize("name", ["bug", "idea"])
def test_issue_forms_have_fields_with_names_of_their_own(root, name):
    form = read(root / ".github" / "ISSUE_TEMPLATE" / f"{name}.yml")
    names = [field["id"] for field in form["body"]]
    assert len(set(names)) == len(names) > 1
