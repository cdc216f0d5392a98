import csv
import json
from dataclasses import replace

import numpy as np
import PIL.Image
import pytest
from adaptations import PEOPLE, make_friends, make_photo
from typer.testing import CliRunner

from emonet import EmotionPredictor
from emonet.adapting import AdaptOptions, adapt
from emonet.adapting.faces import find_groups
from emonet.adapting.features import compute_features, find_last_layer
from emonet.adapting.fitting import Examples, Layer, fit_path, make_own_layer
from emonet.adapting.head import add_head
from emonet.adapting.judging import cross_validate, divide, judge
from emonet.commands import app
from emonet.datasets.builder import BuildOptions, build_dataset, prepare
from emonet.errors import EmonetError, OptionError
from emonet.evaluation import evaluate
from emonet.evaluation.coverage import measure_on_dev
from emonet.evaluation.intervals import name_clusters, separate_images
from emonet.heads import Head, HeadChoice
from emonet.inference import Processor, load_model, open_classifier, open_machine
from emonet.inference.checkpoint import Checkpoint
from emonet.inference.loading import FOLDER
from emonet.inference.model_file import fits_half
from emonet.labels import Emotion
from emonet.models import create_model
from emonet.report.provenance import part_of_split
from emonet.report.tables import may_choose
from facecrop import CropSpec

FAST = ("--model", "emonet_fast", "--device", "cpu")


@pytest.fixture
def run():
    """Runs `emonet ...` in this process."""
    runner = CliRunner()
    return lambda *arguments: runner.invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def friends(face, tmp_path_factory):
    return make_friends(tmp_path_factory.mktemp("adapt") / "friends", face)


@pytest.fixture(scope="module")
def adapted(friends):
    return adapt(friends, AdaptOptions(model="emonet_fast", device="cpu"))


@pytest.fixture(scope="module")
def model_file(adapted, tmp_path_factory):
    path = tmp_path_factory.mktemp("adapted") / "own.safetensors"
    adapted.save(path)
    return path


def test_the_command_says_what_it_learned_from_and_writes_the_model(run, friends, tmp_path):
    result = run("adapt", friends, "-o", tmp_path / "own.safetensors", *FAST)
    assert result.exit_code == 0, result.output
    assert "12 faces of 6 people (by folders below the expressions): happy 6, sad 6" in result.stdout
    assert "cross-validated in 5 folds of 6 people; before is head mean, prior sqrt" in result.stdout
    assert "recall of sad" in result.stdout
    shown = run("models", tmp_path / "own.safetensors").stdout
    assert "own" in shown
    assert "answers by default: head own, prior sqrt" in shown
    assert "own adapted from emonet_fast to 12 faces of 6 people" in shown


def test_the_new_head_answers_what_was_labelled(adapted, model_file, friends):
    judgement = adapted.judgement
    assert judgement.before.correct < judgement.after.correct == 12
    predictor = EmotionPredictor(model_file, device="cpu")
    for emotion in ("happy", "sad"):
        (prediction,) = predictor.predict(friends / emotion / "ben" / "1.png")
        assert prediction.emotion == emotion
    assert predictor.classes == (Emotion.HAPPY, Emotion.SAD)


def test_the_other_heads_stay(model_file, face):
    before, after = load_model("emonet_fast"), load_model(model_file)
    rows = sum(len(head.classes) for head in before.heads)
    assert after.heads[:-1] == before.heads
    for name, weights in before.weights.items():
        kept = after.weights[name][:rows] if name.startswith("head.") else after.weights[name]
        assert kept.tobytes() == weights.tobytes()
    crops = [face[20:148, 40:168]]
    for head in ("fer2013", "seen"):
        answers = [EmotionPredictor(one, head=head, device="cpu").predict_faces(crops) for one in (before, after)]
        assert answers[0][0].probabilities == pytest.approx(answers[1][0].probabilities, abs=1e-6)


def test_the_file_is_as_small_as_the_model_s_own_and_answers_as_what_was_learned(adapted, model_file):
    size, head = (FOLDER / "emonet_fast.safetensors").stat().st_size, adapted.model.heads[-1]
    assert model_file.stat().st_size < size + 20_000  # a head, and what is said of it
    stored = load_model(model_file)
    assert stored.identity == adapted.model.identity
    pixels = np.random.default_rng(0).integers(0, 256, (20, 48, 48, 1), np.uint8)
    answers = [open_classifier(one, open_machine("cpu", "fp32"))(pixels) for one in (adapted.model, stored)]
    assert (answers[0] == answers[1]).all()
    assert answers[1].shape[1] == 15 + len(head.classes)


@pytest.mark.parametrize(("scale", "half"), [(1.0, True), (1e6, False)])
def test_rows_are_rounded_only_if_that_loses_little(scale, half):
    base = load_model("emonet_fast")
    new = Layer(scale * np.random.default_rng(0).normal(size=(2, 192)), np.zeros(2))
    grown = add_head(base, "head", new, "own", (Emotion.HAPPY, Emotion.SAD), (0.5, 0.5), "even", {})
    assert grown.weights["head.weight"][15:] == pytest.approx(new.weights, rel=1e-3 if half else 1e-7)
    assert fits_half(grown.weights) == half


def test_onnx_runtime_answers_with_the_package_s_graph(model_file):
    model, base = load_model(model_file), load_model("emonet_fast")
    pixels = np.random.default_rng(0).integers(0, 256, (5, 48, 48, 1), np.uint8)
    by_onnx = open_classifier(model, Processor(1), "mirror")(pixels)
    assert by_onnx == pytest.approx(open_classifier(model, open_machine("cpu", "fp32"), "mirror")(pixels), abs=1e-5)
    assert (by_onnx[:, :15] == open_classifier(base, Processor(1), "mirror")(pixels)).all()


def test_an_exported_file_answers_by_the_new_head(run, model_file, friends, tmp_path):
    assert run("export", model_file, "-o", tmp_path / "own.onnx").exit_code == 0
    for emotion in ("happy", "sad"):
        (prediction,) = EmotionPredictor(tmp_path / "own.onnx").predict(friends / emotion / "eva" / "1.png")
        assert prediction.emotion == emotion


def test_the_file_says_what_it_was_adapted_from(model_file):
    about = load_model(model_file).training["adapted"]
    assert about["from"] == "emonet_fast"
    assert about["identity"] == load_model("emonet_fast").identity
    assert (about["people"], about["faces"]) == (6, {"happy": 6, "sad": 6})
    assert about["judgement"]["after"]["correct"] == 12
    assert not any(person in json.dumps(about) for person in PEOPLE)


def test_a_second_head_needs_another_name(model_file, friends):
    with pytest.raises(OptionError, match="has a head 'own' already"):
        adapt(friends, AdaptOptions(model=str(model_file)))
    again = adapt(friends, AdaptOptions(model=str(model_file), name="again", device="cpu"))
    assert [head.name for head in again.model.heads] == ["fer2013", "seen", "own", "again"]


def test_a_head_that_was_added_before_is_left_out_of_the_figures(adapted, model_file, friends):
    again = adapt(friends, AdaptOptions(model=str(model_file), name="again", device="cpu"))
    assert again.base == adapted.base
    assert again.judgement == adapted.judgement
    assert any(remark.startswith("own may have learned from these faces") for remark in again.remarks)


def write_table(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def list_rows(*, subjects):
    """The rows of a table of all photos."""
    for emotion in ("happy", "sad"):
        for person in PEOPLE:
            yield [f"{emotion}/{person}/1.png", emotion, person if subjects else ""]


def test_a_table_can_name_people(run, friends, tmp_path):
    table = write_table(
        tmp_path / "labels.csv",
        [["path", "label", "subject"], *list_rows(subjects=True), ["no.png", "sad", ""]],
    )
    result = run("adapt", friends, "--labels", table, "--json", "-o", tmp_path / "own.safetensors", *FAST)
    told = json.loads(result.stdout)
    assert (told["faces"], told["people"]) == (12, 6)
    assert told["model"] == str(tmp_path / "own.safetensors")
    assert "labels.csv: 'no.png' fits no photo" in told["remarks"]


def test_a_table_stands_for_its_folder(friends):
    table = write_table(friends / "labels.csv", [["path", "label", "subject"], *list_rows(subjects=True)])
    assert adapt(table, AdaptOptions(model="emonet_fast", device="cpu")).judgement.after.correct == 12
    table.unlink()


def test_corrections_of_an_album_name_faces_by_their_boxes(friends, tmp_path):
    predictor = EmotionPredictor("emonet_fast", device="cpu")
    rows = []
    for path, label, _ in list_rows(subjects=False):
        (prediction,) = predictor.predict(friends / path)
        rows.append([path, label, *prediction.box])
    rows.append(["happy/anna/1.png", "sad", 0, 0, 9, 9])
    table = write_table(tmp_path / "corrections.csv", [["path", "label", "x1", "y1", "x2", "y2"], *rows])
    with pytest.raises(OptionError, match="near copies of one photo"):  # who is in them is not known here
        adapt(friends, AdaptOptions(model="emonet_fast", device="cpu"), labels=table)
    rows = [[*row, row[0].split("/")[1]] for row in rows]
    write_table(table, [["path", "label", "x1", "y1", "x2", "y2", "subject"], *rows])
    found = adapt(friends, AdaptOptions(model="emonet_fast", device="cpu"), labels=table)
    assert len(found.faces) == 12
    assert found.faces.left_out == {"no face where the label has its box": ["happy/anna/1.png"]}


def test_an_album_that_was_looked_through_confirms_the_other_faces(friends, tmp_path):
    rows = [[path, label, who] for path, label, who in list_rows(subjects=True) if label == "sad"]
    rows.append(["happy/anna/1.png", "drop", ""])
    table = write_table(tmp_path / "corrections.csv", [["path", "label", "subject"], *rows])
    found = adapt(friends, AdaptOptions(model="emonet_fast", device="cpu", confirmed=True), labels=table)
    assert found.faces.count() == {"happy": 5, "sad": 6}
    assert "happy/anna/1.png" not in found.faces.keys
    assert found.judgement.before.classes["happy"].recall == 1
    with pytest.raises(OptionError, match="--confirmed needs a table"):
        adapt(friends, AdaptOptions(confirmed=True))
    write_table(table, [["path", "label"], ["happy/anna/1.png", "glum"], ["happy/ben/1.png", "drop"]])
    with pytest.raises(OptionError, match="row 2: 'glum' is no expression"):
        adapt(friends, AdaptOptions(model="emonet_fast", device="cpu", confirmed=True), labels=table)
    with pytest.raises(OptionError, match="only what is not a face"):
        adapt(friends, AdaptOptions(model="emonet_fast", device="cpu"), labels=table)


def test_corrections_alone_are_said_to_be_mistakes(friends, tmp_path):
    rows = [
        [path, label if label == "sad" else "fear", who]  # none of them was answered
        for path, label, who in list_rows(subjects=True)
    ]
    table = write_table(tmp_path / "corrections.csv", [["path", "label", "subject"], *rows])
    found = adapt(friends, AdaptOptions(model="emonet_fast", device="cpu"), labels=table)
    assert any("chosen because it was wrong" in remark for remark in found.remarks)


def test_photos_without_a_face_and_rare_classes_are_named(run, friends, tmp_path):
    folder = tmp_path / "more"
    for emotion in ("happy", "sad"):
        for person in PEOPLE:
            (folder / emotion / person).mkdir(parents=True)
            PIL.Image.open(friends / emotion / person / "1.png").save(folder / emotion / person / "1.png")
    (folder / "fear" / "anna").mkdir(parents=True)
    PIL.Image.open(friends / "sad" / "anna" / "1.png").save(folder / "fear" / "anna" / "1.png")
    PIL.Image.new("RGB", (90, 60)).save(folder / "sad" / "ben" / "sky.png")
    (folder / "sad" / "ben" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "sad" / "ben" / "notes.txt").write_text("no photo")
    result = run("adapt", folder, "-o", tmp_path / "own.safetensors", *FAST)
    assert result.exit_code == 0, result.output
    assert "left out, no face that will do: 1 photo: sad/ben/sky.png" in result.stdout
    assert "left out, cannot be read: 1 photo: sad/ben/broken.png" in result.stdout
    assert "fear is left out: it has 1 of the 5 faces that a class needs" in result.stdout


def draw_noise(chance, *, bright_below):
    """A grey image of noise that is brighter below, or nowhere."""
    image = chance.integers(0, 90, (48, 48))
    image[24:] += 120 if bright_below else 20
    return image


def test_folds_are_by_photo_where_there_is_one_person(tmp_path):
    chance = np.random.default_rng(0)
    for emotion in ("happy", "sad"):
        (tmp_path / emotion / "me").mkdir(parents=True)
        for number in range(10):
            image = draw_noise(chance, bright_below=emotion == "happy").astype(np.uint8)
            PIL.Image.fromarray(image).save(tmp_path / emotion / "me" / f"{number}.png")
    found = adapt(tmp_path, AdaptOptions(model="emonet_fast", detector="whole", device="cpu"))
    assert "all faces are of one person: the figures hold for this person alone" in found.remarks
    assert not any("who is in the photos is not known" in remark for remark in found.remarks)
    assert found.judgement.folds == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "no such folder or file"),
        (["empty"], "no photo below"),
        (["photo.png"], "neither a folder of photos nor a CSV"),
        (["few"], "at least 5 faces of each of two expressions"),
        (["friends", "--labels", "none.csv"], "no such table of labels"),
        (["friends", "few", "--labels", "few.csv"], "--labels names the photos of one folder"),
        (["few", "--labels", "few.csv"], "no row of"),
        (["broken.csv"], "no column named label"),
        (["friends", "-o", "own.onnx"], "must be a file that ends in .safetensors"),
        (["friends", "-o", "taken.safetensors"], "exists: give another --out, or --overwrite"),
        (["friends", "--name", "mean"], "name must be"),
        (["friends", "--name", "a-b"], "name must be"),
        (["friends", "--name", "seen"], "has a head 'seen' already"),
        (["friends", "--folds", "1"], "folds must be"),
        (["friends", "--people", "some"], "people must be one of auto, none"),
        (["friends", "--model", "nothing"], "no model 'nothing'"),
        (["friends", "--people", "none"], "near copies of one photo"),
    ],
)
def test_mistakes_are_one_line(run, friends, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "few" / "happy").mkdir(parents=True)
    PIL.Image.open(friends / "happy" / "anna" / "1.png").save(tmp_path / "few" / "happy" / "1.png")
    (tmp_path / "photo.png").write_bytes((tmp_path / "few" / "happy" / "1.png").read_bytes())
    (tmp_path / "few.csv").write_text("path,label\nother.png,happy\n")
    (tmp_path / "broken.csv").write_text("path,word\nfew/happy/1.png,happy\n")
    (tmp_path / "taken.safetensors").write_bytes(b"mine")
    arguments = [str(friends) if argument == "friends" else argument for argument in arguments]
    result = run("adapt", *arguments, "--device", "cpu")
    assert isinstance(result.exception, EmonetError), result.output
    assert message in str(result.exception)
    assert "\n" not in str(result.exception)
    assert not (tmp_path / "own.safetensors").exists()
    assert (tmp_path / "taken.safetensors").read_bytes() == b"mine"


def test_a_head_that_is_no_better_is_not_written(run, face, tmp_path):
    photos = tmp_path / "photos"
    for number, person in enumerate(PEOPLE):
        for emotion in ("happy", "sad"):  # the same photos: nothing can be learned
            (photos / emotion / person).mkdir(parents=True)
            make_photo(face, number, blurred=False).save(photos / emotion / person / "1.png")
    result = run("adapt", photos, "-o", tmp_path / "own.safetensors", *FAST)
    assert result.exit_code == 1
    assert "the new head is no better than the model was" in result.stdout
    assert "nothing was written" in result.stdout
    assert not (tmp_path / "own.safetensors").exists()
    assert run("adapt", photos, "-o", tmp_path / "own.safetensors", "--anyway", *FAST).exit_code == 0
    assert load_model(tmp_path / "own.safetensors").default_head == "own"


def test_options_are_printed_and_read(run, tmp_path):
    printed = run("adapt", "nowhere", "--print-config", "--name", "ours", "--prior", "even").stdout
    (tmp_path / "ours.toml").write_text(printed)
    again = run("adapt", "nowhere", "--print-config", "--config", tmp_path / "ours.toml").stdout
    assert again == printed
    assert 'name = "ours"' in printed


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A data set of small images, brighter below for happy, nowhere for angry."""
    folder = tmp_path_factory.mktemp("store")
    chance = np.random.default_rng(0)
    rows = ["emotion,pixels,Usage"]
    for number in range(48):
        image = draw_noise(chance, bright_below=bool(number % 2))
        rows.append(f"{3 * (number % 2)},{' '.join(map(str, image.ravel()))},Training")
    (folder / "fer2013.csv").write_text("\n".join(rows))
    options = BuildOptions({"fer2013": str(folder / "fer2013.csv")}, detector="whole", dev=8, leaks="keep")
    return build_dataset(prepare(options), folder / "store", workers=1).store


def test_a_data_set_is_learned_from(store):
    found = adapt(store.path, AdaptOptions(model="emonet_fast", device="cpu"))
    assert len(found.faces) == 48
    assert found.classes == (Emotion.ANGRY, Emotion.HAPPY)
    assert found.judgement.after.accuracy > 0.9


def test_images_that_the_model_itself_learned_from_are_told(store, tmp_path):
    found = adapt(store.path, AdaptOptions(model="emonet_fast", device="cpu"))
    assert any("learned from fer2013, perhaps from these images" in remark for remark in found.remarks)
    replace(load_model("emonet_fast"), training={}).save(tmp_path / "unknown.safetensors")
    unknown = adapt(store.path, AdaptOptions(model=str(tmp_path / "unknown.safetensors"), device="cpu"))
    assert any("data set is not known" in remark for remark in unknown.remarks)


def test_a_later_adaptation_keeps_what_an_earlier_one_learned_from(store, friends, tmp_path):
    adapt(store.path, AdaptOptions(model="emonet_fast", device="cpu")).save(tmp_path / "own.safetensors")
    options = AdaptOptions(model=str(tmp_path / "own.safetensors"), name="again", device="cpu")
    about = adapt(friends, options).model.training["adapted"]
    assert (about["head"], about["earlier"]["head"]) == ("again", "own")
    assert about["data"] == [store.identity]


def test_what_a_head_learned_from_is_no_test(store):
    own = adapt(store.path, AdaptOptions(model="emonet_fast", device="cpu")).model
    found = evaluate(own, store, "dev", machine=open_machine("cpu", "fp32"))
    assert part_of_split(found) == "a head of the model learned from it: this is no test"
    assert any("this is no test" in remark for remark in found.remarks)
    assert not may_choose(found)
    with pytest.raises(OptionError, match="learned from dev"):
        measure_on_dev(own, store)


def test_the_new_head_is_evaluated_and_gets_a_table_of_coverage(run, store, friends, tmp_path):
    path, start = tmp_path / "own.safetensors", tmp_path / "start.safetensors"
    bundled = load_model("emonet_fast")
    config = {**bundled.training["config"], "all_train": False}  # dev is new to it
    replace(bundled, training={**bundled.training, "config": config}).save(start)
    assert run("adapt", friends, "-o", path, "--prior", "training", *FAST, "--model", start).exit_code == 0
    result = run("evaluate", path, store.path, "--split", "dev", "-o", tmp_path / "report", "--views", "mirror")
    assert result.exit_code == 0, result.output
    assert run("models", path, "--set-coverage", tmp_path / "report").exit_code == 0
    assert [(curve.head, curve.prior) for curve in load_model(path).coverage if curve.head == "own"] == [
        ("own", "training")
    ]


def make_checkpoint(name, **arguments):
    """A network with new weights."""
    network = create_model(name, classes=7, **arguments)
    spec = replace(network.input, mean=(0.5,), std=(0.25,)) if not network.input.measured else network.input
    classes = tuple(emotion for emotion in Emotion if emotion is not Emotion.CONTEMPT)
    crop = CropSpec(size=spec.size, grey=spec.channels == 1)
    return Checkpoint(
        name, arguments, (Head("labels", classes, (1 / 7,) * 7),), crop, "whole", spec, network.state_dict()
    )


@pytest.mark.parametrize(
    "name", ["emonet", "plain_cnn", "crop_three", "lenet28", "tuned_five", "tiny_vgg", "leaky_cifar"]
)
def test_networks_that_end_in_a_dense_layer_are_adapted(name, store, tmp_path):
    base = make_checkpoint(name)
    base.save(tmp_path / "base.safetensors")
    found = adapt(store.path, AdaptOptions(model=str(tmp_path / "base.safetensors"), device="cpu"))
    found.save(tmp_path / "own.safetensors")
    opened = load_model(tmp_path / "own.safetensors")
    size, channels = base.input.size, base.input.channels
    pixels = np.random.default_rng(0).integers(0, 256, (4, size, size, channels), np.uint8)
    answers = [open_classifier(one, open_machine("cpu", "fp32"))(pixels) for one in (base, opened)]
    assert answers[1].shape == (4, 9)
    assert answers[1][:, :7] == pytest.approx(answers[0], abs=1e-6)
    assert opened.identity == found.model.identity  # in 32 bits, as the model


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("averaged", {"model": "lenet28", "members": 2}), ("knn", {"examples": 9})],
)
def test_other_networks_are_refused(name, arguments, store, tmp_path):
    make_checkpoint(name, **arguments).save(tmp_path / "base.safetensors")
    with pytest.raises(OptionError, match=f"the network '{name}' cannot be adapted"):
        adapt(store.path, AdaptOptions(model=str(tmp_path / "base.safetensors"), device="cpu"))


def test_features_are_those_of_the_last_layer():
    base = load_model("emonet_fast")
    pixels = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 1), np.uint8)
    layer = find_last_layer(base.network(), base)
    found = compute_features(base, layer, pixels, open_machine("cpu", "fp32"))
    assert (layer, found.values.shape) == ("head", (3, 2, 192))
    expected = open_classifier(base, open_machine("cpu", "fp32"), "mirror")(pixels)
    assert found.probabilities == pytest.approx(expected, abs=1e-6)


def make_examples(count=60, noise=1.0):
    """Points about one of three corners; the model's own layer takes the first class for the second."""
    chance = np.random.default_rng(0)
    labels = np.arange(count) % 3
    features = (4 * np.eye(3, 5)[labels] + noise * chance.normal(size=(count, 5)))[:, None]
    return Examples(features, labels, Layer(np.eye(3, 5)[[1, 0, 2]], np.zeros(3)))


def test_a_large_penalty_keeps_to_the_model_s_own_answers():
    examples = make_examples()
    strong, *_, weak = fit_path(examples)
    own = examples.own(examples.features[:, 0]).argmax(1)
    assert (strong(examples.features[:, 0]).argmax(1) == own).mean() > 0.9
    assert (weak(examples.features[:, 0]).argmax(1) == examples.labels).mean() > 0.9


def test_the_penalty_is_small_where_the_model_is_wrong():
    examples = make_examples()
    answers, penalty = cross_validate(examples, np.arange(60) // 3 % 5, "training")
    assert (answers.argmax(1) == examples.labels).mean() > 0.9
    assert penalty <= 30


def test_people_stay_in_one_fold():
    examples = make_examples()
    people = [f"p{number // 6}" for number in range(60)]
    clusters = name_clusters([""] * 60, people, [None] * 60, list(map(str, range(60))))
    folds = divide(examples, clusters, 5)
    assert set(folds.tolist()) == set(range(5))
    assert all(len(set(folds[6 * person : 6 * person + 6].tolist())) == 1 for person in range(10))


def test_before_and_after_are_of_the_same_faces():
    examples = make_examples()
    before = np.tile([0.5, 0.3, 0.2], (60, 1))
    found = judge(examples, before, (Emotion.HAPPY, Emotion.SAD, Emotion.NEUTRAL), separate_images(60), "sqrt", 5)
    assert (found.before.correct, found.before.n, found.after.n) == (20, 60, 60)
    assert found.is_better
    assert found.is_certain
    assert found.gain == pytest.approx(found.after.accuracy - found.before.accuracy)


def test_own_logits_are_the_mean_of_the_heads_that_answer():
    heads = (Head("a", (Emotion.HAPPY, Emotion.SAD)), Head("b", (Emotion.SAD, Emotion.HAPPY, Emotion.CONTEMPT)))
    layer = Layer(np.arange(10.0).reshape(5, 2), np.zeros(5))
    found = make_own_layer(layer, HeadChoice(heads, "mean"), (Emotion.HAPPY, Emotion.SAD, Emotion.FEAR))
    assert found.weights[:, 0].tolist() == [0.0, 0.0, 0.0]  # one head's happy is 1 below sad, the other's 1 above
    alone = make_own_layer(layer, HeadChoice(heads, "a"), (Emotion.HAPPY, Emotion.SAD, Emotion.CONTEMPT))
    assert alone.weights[0, 0] < alone.weights[1, 0] < alone.weights[2, 0]


def test_bursts_are_groups_where_people_are_not_known(adapted):
    faces = replace(adapted.faces, subjects=("",) * 12)
    groups = find_groups(faces)
    assert groups.count < 12
    assert find_groups(adapted.faces).count == 6
