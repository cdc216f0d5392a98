import pickle

import pytest

from emonet.datasets.labels import CLASS_LISTS, Corrections, LabelRules, find_emotion, find_split
from emonet.datasets.sample import DropReason, EncodedImage, Sample
from emonet.errors import DatasetError
from emonet.labels import Emotion

ANGRY, DISGUST, FEAR, HAPPY, SAD, SURPRISE, NEUTRAL, CONTEMPT = Emotion


def sample(key, emotion=HAPPY, sequence=None):
    return Sample(key, EncodedImage(None), emotion, "ckplus", sequence=sequence)


@pytest.mark.parametrize(
    ("text", "emotion"),
    [
        ("anger", ANGRY),
        ("AN", ANGRY),
        ("Disgusted", DISGUST),
        ("fearful", FEAR),
        ("Happiness", HAPPY),
        ("joy", HAPPY),
        ("4_sadness", SAD),
        ("03_SURPRISED", SURPRISE),
        (" Neutral ", NEUTRAL),
        ("ne", NEUTRAL),
        ("contempt", CONTEMPT),
        *[(text, None) for text in ("", "3", "hapy", "unhappy", "S005", "001", "train", "happy faces")],
    ],
)
def test_find_emotion_knows_synonyms(text, emotion):
    assert find_emotion(text) is emotion


@pytest.mark.parametrize("emotion", Emotion)
def test_find_emotion_knows_every_name(emotion):
    assert find_emotion(emotion) is emotion
    assert find_emotion(emotion.name) is emotion


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("train", "train"),
        ("Training", "train"),
        ("val", "validation"),
        ("valid", "validation"),
        ("PublicTest", "validation"),
        ("test", "test"),
        ("PrivateTest", "test"),
        ("dev", None),
        ("", None),
        ("attest", None),
    ],
)
def test_find_split_knows_synonyms(text, split):
    assert find_split(text) == split


@pytest.mark.parametrize(
    ("name", "left_out"),
    [
        ("fer7", {CONTEMPT}),
        ("fer6", {DISGUST, CONTEMPT}),
        ("ck6", {NEUTRAL, CONTEMPT}),
        ("ck7", {NEUTRAL}),
        ("ck8", set()),
    ],
)
def test_class_list_by_name(name, left_out):
    rules = LabelRules.parse(name)
    assert set(Emotion) - set(rules.classes) == left_out
    assert rules.contempt == ("drop" if CONTEMPT in left_out else "keep")
    assert rules.classes == CLASS_LISTS[name]


def test_class_list_is_sorted_like_emotion():
    assert LabelRules.parse("surprise, joy,Sadness,joy").classes == (HAPPY, SAD, SURPRISE)


def test_default_classes_are_fer7():
    assert LabelRules() == LabelRules.parse("fer7") == LabelRules.parse("fer7", "drop")


@pytest.mark.parametrize(
    ("rules", "emotion", "label"),
    [
        (LabelRules(), HAPPY, HAPPY),
        (LabelRules(), CONTEMPT, DropReason.CONTEMPT),
        (LabelRules.parse("ck8"), CONTEMPT, CONTEMPT),
        (LabelRules.parse("fer7", "disgust"), CONTEMPT, DISGUST),
        (LabelRules.parse("fer6"), DISGUST, DropReason.NOT_IN_CLASSES),
        (LabelRules.parse("ck6"), NEUTRAL, DropReason.NOT_IN_CLASSES),
    ],
)
def test_label_rules_decide_about_contempt(rules, emotion, label):
    assert rules.label(emotion) is label


@pytest.mark.parametrize(
    ("classes", "contempt", "message"),
    [
        ("fer7", "keep", "contempt is 'keep', which does not go with the classes angry"),
        ("ck8", "drop", "contempt is 'drop', which does not go"),
        ("ck7", "disgust", "contempt is 'disgust', which does not go"),
        ("fer6", "disgust", "cannot become disgust"),
        ("fer7", "ignore", "contempt must be one of drop, keep, disgust, got 'ignore'"),
        ("fer9", None, r"must be one of fer7, .* or a list of angry, .*, got 'fer9'"),
        ("happy,hapy", None, "got 'hapy'"),
        ("happy", None, "at least two classes, got happy"),
        ("happy,joy", None, "at least two classes, got happy"),
        ("", None, "got ''"),
    ],
)
def test_contradicting_label_rules_are_refused(classes, contempt, message):
    with pytest.raises(ValueError, match=message):
        LabelRules.parse(classes, contempt)


def test_empty_class_list_is_refused():
    with pytest.raises(ValueError, match="at least two classes, got none"):
        LabelRules(classes=())


@pytest.fixture
def corrections(tmp_path):
    def read(text):
        (tmp_path / "corrections.csv").write_bytes(text.encode())
        return Corrections.read(tmp_path / "corrections.csv")

    return read


@pytest.mark.parametrize("top", ["", "key,label\n", "\ufeffKey, Label\r\n", "\n"])
def test_corrections_change_and_drop_labels(top, corrections):
    read = corrections(f"{top}a,sadness\nb , drop\n\n")
    assert read.label(sample("a")) is SAD
    assert read.label(sample("b")) is DropReason.CORRECTED
    assert read.label(sample("c")) is HAPPY
    assert read.label(sample("d", emotion=None)) is None


def test_correction_of_an_image_goes_before_its_sequence(corrections):
    read = corrections("ckplus/S010_001,fear\nckplus/S010_001_00000002,drop\n")
    first, second = (sample(f"ckplus/S010_001_0000000{frame}", None, "S010_001") for frame in (1, 2))
    assert read.label(first) is FEAR
    assert read.label(second) is DropReason.CORRECTED


def test_unused_corrections_are_reported(corrections):
    read = corrections("b,sad\na,sad\nc,sad\n")
    assert read.unused() == ["a", "b", "c"]
    read.label(sample("b"))
    assert read.unused() == ["a", "c"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("b", "has 1 columns"),
        ("b,sad,happy", "has 3 columns"),
        ("b,hapy", "drop or one of angry, .*, got 'hapy'"),
        ("b,", "got ''"),
        ("b,3", "got '3'"),
    ],
)
def test_bad_corrections_are_refused_with_their_row(row, message, corrections):
    with pytest.raises(DatasetError, match=rf"corrections\.csv, row 2: .*{message}") as caught:
        corrections(f"a,sad\n{row}\n")
    assert caught.value.row == 2


def test_corrections_that_contradict_each_other_are_refused(corrections):
    with pytest.raises(DatasetError, match=r"row 3: a is corrected otherwise in row 1"):
        corrections("a,sad\nb,sad\na,drop\n")
    assert corrections("a,sad\na,onset=3\na,sad\n").label(sample("a")) is SAD


def test_empty_corrections_keep_labels():
    none = Corrections({})
    assert none.label(sample("a")) is HAPPY
    assert none.unused() == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"key": ""}, "needs a key and a source"),
        ({"source": ""}, "needs a key and a source"),
        ({"emotion": "hapy"}, "'hapy' is not a valid Emotion"),
        ({"split": "dev"}, "split must be one of train, validation, test or None, got 'dev'"),
    ],
)
def test_bad_samples_are_refused(changes, message):
    arguments = {"key": "a", "image": EncodedImage(None), "emotion": HAPPY, "source": "jaffe"}
    with pytest.raises(ValueError, match=message):
        Sample(**(arguments | changes))


@pytest.mark.parametrize("row", [None, 7])
def test_dataset_errors_can_be_pickled(row):
    error = DatasetError("data/a.csv", "no such thing", row)
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.path, copy.reason, copy.row) == (error.path, "no such thing", row)
    assert str(copy) == str(error) == f"data/a.csv{', row 7' if row else ''}: no such thing"
