"""The Python in the README and in the documentation is run as it stands; links and folders exist."""

import re
import subprocess
import sys

import adaptations
import evaluations
import imitations
import PIL.Image
import pytest
import reviews

import emonet.errors
from emonet.datasets import READERS
from emonet.datasets.builder import BuildOptions, build_dataset, prepare
from emonet.evaluation import make_answers, write_answers
from emonet.models import MODELS
from facecrop import DETECTORS

RUN = (
    "README.md",
    "docs/how-to/adapt.md",
    "docs/how-to/add-a-data-set.md",
    "docs/how-to/add-a-detector.md",
    "docs/how-to/add-a-head.md",
    "docs/how-to/add-a-network.md",
    "docs/how-to/coming-from-other-libraries.md",
    "docs/how-to/compare-models.md",
    "docs/how-to/films.md",
    "docs/how-to/merge-data-sets.md",
    "docs/how-to/review.md",
    "docs/how-to/search.md",
    "docs/how-to/spark.md",
    "docs/reference/errors.md",
    "docs/reference/facecrop.md",
    "docs/reference/model-file-format.md",
    "docs/tutorials/own-model.md",
    "docs/tutorials/photos.md",
)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
CODE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
MADE_BY_MKDOCS = ("command-line.md",)  # docs/scripts/command_line.py


def read_snippets(path):
    return re.findall(r"^```python\n(.*?)^```", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def list_pages(root):
    return [root / "README.md", *sorted((root / "docs").rglob("*.md"))]


@pytest.fixture
def run(root):
    """Run the snippets of a page one after another, and return the names that they leave."""

    def run_page(page):
        names = {}
        for number, snippet in enumerate(read_snippets(root / page), start=1):
            exec(compile(snippet, f"{page}, snippet {number}", "exec"), names)
        return names

    return run_page


@pytest.fixture(autouse=True)
def holiday(tmp_path, monkeypatch, portrait):
    """A folder to stand in, with the photos that the snippets read; what they register is forgotten afterwards."""
    (tmp_path / "holiday").mkdir()
    for name in ("party.jpg", "photo.jpg", "holiday/me.jpg"):
        PIL.Image.fromarray(portrait).save(tmp_path / name)
    PIL.Image.new("RGB", (90, 60)).save(tmp_path / "holiday" / "sky.jpg")
    (tmp_path / "holiday" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    monkeypatch.chdir(tmp_path)
    kept = [(registry, dict(registry)) for registry in (DETECTORS, READERS, MODELS)]
    yield
    for registry, before in kept:
        registry.clear()
        registry.update(before)


def build_fer2013(folder, portrait, **counts):
    imitations.write_fer2013_csv(folder / "fer2013.csv", imitations.fer2013_rows(portrait, **counts))
    options = BuildOptions({"fer2013": "fer2013.csv"}, detector="whole", dev=10, leaks="exact")
    build_dataset(prepare(options), "merged", workers=1)


def test_every_page_with_python_is_run_by_a_test_here(root):
    with_python = [path.relative_to(root).as_posix() for path in list_pages(root) if read_snippets(path)]
    assert sorted(with_python) == sorted(RUN)


def test_readme_names_the_expression_and_cuts_the_face_out(run, capsys):
    names = run("README.md")
    assert capsys.readouterr().out.startswith("happy 0.")
    assert [crop.shape for crop in names["crops"]] == [(224, 224, 3)]


def test_the_tutorial_on_photos_gives_predictions_reasons_and_a_table(run, capsys):
    names = run("docs/tutorials/photos.md")
    said = capsys.readouterr().out
    assert "photo.jpg happy 0." in said
    assert "broken.jpg: cannot be" in said
    assert names["drawn"].shape == names["reasons"].shape == (320, 512, 3)
    assert names["table"].num_rows == 1


def test_the_tutorial_on_models_trains_scores_and_predicts(run, tmp_path, portrait, capsys):
    build_fer2013(tmp_path, portrait, training=40, tests=7)
    run("docs/tutorials/own-model.md")
    lines = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert {"none", "mirror"} <= set(lines)
    assert (tmp_path / "runs" / "lenet28-python" / "curves.png").is_file()
    assert (tmp_path / "report" / "report.html").is_file()


def test_the_guide_to_searching_finds_the_better_of_two_trials(run, tmp_path, portrait):
    build_fer2013(tmp_path, portrait, training=40, tests=7)
    names = run("docs/how-to/search.md")
    assert 0 <= names["found"].score <= 1
    assert (tmp_path / "runs" / "search-lenet28" / "best.toml").is_file()


def test_the_guide_for_users_of_other_libraries_gives_faces_frames_and_tables(run, tmp_path):
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes((tmp_path / "photo.jpg").read_bytes())
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    names = run("docs/how-to/coming-from-other-libraries.md")
    assert [face.emotion for face in names["faces"]] == ["happy"]
    assert list(names["frame"]["emotion"].dropna()) == ["happy", "happy"]
    assert [isinstance(one, emonet.errors.ImageError) for one in names["answers"]] == [False, False, True]
    assert (tmp_path / "drawn.png").is_file()


def test_the_guide_to_comparisons_reads_answers(run, tmp_path):
    for name, said in (("report-a", [0, 1, 2]), ("report-b", [0, 1, 1])):
        (tmp_path / name).mkdir()
        evaluation = evaluations.evaluated([0, 1, 2], said, views=("none", "mirror"))
        write_answers(make_answers(evaluation), tmp_path / name / "answers.parquet")
    names = run("docs/how-to/compare-models.md")
    assert names["found"].accuracy.value == pytest.approx(-1 / 3)
    assert names["lost"] == ["fer2013/0002"]
    assert names["probabilities"].shape == (3, 7)


def test_the_guide_to_merging_reads_samples_and_a_store(run, tmp_path, portrait, capsys):
    imitations.write_jaffe(tmp_path / "jaffe", portrait, people=("KA", "KL"))
    build_dataset(prepare(BuildOptions({"jaffe": "jaffe"}, detector="whole", leaks="exact")), "merged", workers=1)
    names = run("docs/how-to/merge-data-sets.md")
    assert names["labels"].num_rows == names["store"].splits["train"]
    assert "jaffe/KA.AN1.1 angry KA (256, 256, 3)" in capsys.readouterr().out


def test_the_guide_to_reviews_lists_doubtful_labels(run, tmp_path, portrait, capsys):
    store = reviews.build_copied(tmp_path, portrait)
    (tmp_path / "runs" / "folds").mkdir(parents=True)
    reviews.write_answers(store, tmp_path / "runs" / "folds" / "teacher_labels.parquet")
    store.path.rename("merged")
    run("docs/how-to/review.md")
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("fer2013/fer0000003 happy rather sad 0.0")


def test_the_guide_to_adaptations_writes_a_better_model(run, tmp_path, face, capsys):
    adaptations.make_friends(tmp_path / "friends", face)
    names = run("docs/how-to/adapt.md")
    before, after = map(float, capsys.readouterr().out.split())
    assert before < after
    assert (tmp_path / "ours.safetensors").is_file()
    assert names["adapted"].judgement.is_better


def test_the_guide_to_data_sets_adds_a_reader(run, tmp_path, portrait):
    (tmp_path / "named").mkdir()
    for name in ("happy-1.png", "sad-2.png", "bored-3.png"):
        PIL.Image.fromarray(portrait).save(tmp_path / "named" / name)
    names = run("docs/how-to/add-a-data-set.md")
    assert sorted(sample.emotion for sample in names["samples"]) == ["happy", "sad"]
    assert [rejected.reason for rejected in names["reader"].rejected] == ["bad_label"]


def test_the_reader_of_the_guide_has_options_and_is_listed_without_a_change_of_commands(root, tmp_path, portrait):
    (tmp_path / "named").mkdir()
    for name in ("happy-1.png", "sad-2.png", "fear-4.png"):
        PIL.Image.fromarray(portrait).save(tmp_path / "named" / name)
    snippet, _ = read_snippets(root / "docs/how-to/add-a-data-set.md")
    script = f"{snippet}\nfrom emonet.commands import main\nfrom emonet.datasets import READERS\n"
    script += 'READERS["named"] = Named\nmain()\n'
    words = ("build", "--named", "named", "--named-numbers", "even", "--dry-run")
    built, listed = (
        subprocess.run([sys.executable, "-c", script, *given], capture_output=True, text=True, check=False)
        for given in (words, ("datasets", "named", "--json"))
    )
    assert "2 images to work on" in built.stdout, built.stderr
    assert "not_selected 1" in built.stdout
    assert '"option": "--named-numbers"' in listed.stdout, listed.stderr


def test_the_guide_to_detectors_adds_one(run):
    assert run("docs/how-to/add-a-detector.md")["crop"].shape == (48, 48, 3)


def test_the_guide_to_networks_adds_one(run):
    assert run("docs/how-to/add-a-network.md")["logits"].shape == (2, 7)


def test_the_guide_to_heads_reads_those_of_a_model(run):
    names = run("docs/how-to/add-a-head.md")
    assert names["choice"].classes == names["checkpoint"].heads[0].classes


def test_the_reference_of_facecrop_finds_faces_and_counts_reasons(run):
    names = run("docs/reference/facecrop.md")
    assert len(names["faces"]) == 1
    assert names["crop"].shape == (224, 224, 3)
    assert names["reasons"] == {"unreadable": 1, "no_face": 1}


def test_the_reference_of_errors_catches_a_broken_photo(run, capsys):
    run("docs/reference/errors.md")
    assert "broken.jpg" in capsys.readouterr().out


def test_the_reference_of_model_files_opens_one(run):
    assert run("docs/reference/model-file-format.md")["network"].training is False


def test_the_error_tree_in_the_documentation_is_that_of_the_code(root):
    tree = re.search(r"^ *EmonetError .*?TrainingError.*?$", emonet.errors.__doc__, re.DOTALL | re.MULTILINE)[0]
    drawn = (root / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    assert re.findall(r"\w+Error\b", tree) == re.findall(r"\w+Error\b", drawn.split("```text")[1].split("```")[0])


def test_links_lead_to_files_that_exist(root):
    broken = [
        f"{path.relative_to(root)}: {link}"
        for path in [*root.glob("*.md"), *list_pages(root)]
        for link in LINK.findall(CODE.sub("", path.read_text(encoding="utf-8")))
        if not (path.parent / link).exists() and not link.endswith(MADE_BY_MKDOCS)
    ]
    assert not broken


def test_no_line_of_the_readme_is_too_long(root):
    long = [line for line in (root / "README.md").read_text(encoding="utf-8").splitlines() if len(line) > 120]
    assert not long


def test_every_folder_that_the_readme_shows_exists(root):
    tree = re.search(r"## The folders\n+```\n(.*?)```", (root / "README.md").read_text(), re.DOTALL)[1]
    shown = re.findall(r"^(\w+)/", tree, re.MULTILINE)
    assert shown == ["facecrop", "datasets", "emonet", "tools", "benchmarks", "results", "docs", "tests"]
    assert all((root / name).is_dir() for name in shown)
    top = ""
    for line in tree.splitlines():
        top = line.split()[0] if not line.startswith(" ") else top
        inner = re.findall(r"(\w+)/", line) if line.startswith(" ") else []
        assert all((root / top / name).is_dir() for name in inner), line
