"""Data sets by their published layouts: codes of labels, choices, and what is damaged or missing."""

import shutil
from collections import Counter

import imitations
import numpy as np
import pytest

from emonet.datasets import READERS, DatasetError
from emonet.datasets.builder import BuildOptions, prepare
from emonet.errors import ImageError, OptionError
from emonet.labels import Emotion


def read(name, folder, **choices):
    """Read everything; key without its source -> sample."""
    return {sample.key.partition("/")[2]: sample for sample in READERS[name](folder, **choices)}


def rejections(reader):
    """Read everything; key without its source -> reason and detail of what was rejected."""
    list(reader)
    return {one.key.partition("/")[2]: (str(one.reason), one.detail) for one in reader.rejected}


# What the codes mean


@pytest.mark.parametrize(
    ("code", "emotion"),
    [(str(code), emotion) for emotion, code in imitations.RAFDB_CODES.items()],
)
def test_codes_of_rafdb(code, emotion, tmp_path):
    imitations.touched(tmp_path, "Image/aligned/train_00001_aligned.jpg")
    imitations.write_text(tmp_path / "EmoLabel/list_patition_label.txt", f"train_00001.jpg {code}\n")
    sample = read("rafdb", tmp_path)["train_00001"]
    assert (sample.emotion, sample.split) == (emotion, "train")


@pytest.mark.parametrize(("code", "emotion"), [*enumerate(imitations.AFFECTNET_NAMES)])
def test_codes_of_affectnet(code, emotion, tmp_path):
    imitations.touched(tmp_path, "Manually_Annotated_Images/1/a.jpg")
    row = f"1/a.jpg,10,20,30,40,1;2,{code},0,0\n"
    imitations.write_text(tmp_path / "training.csv", f"{imitations.AFFECTNET_HEADER}\n{row}")
    sample = read("affectnet", tmp_path)["1/a.jpg"]
    assert (sample.emotion, sample.split, sample.image.box) == (emotion, "train", (10, 20, 40, 60))


@pytest.mark.parametrize(("code", "emotion"), [*enumerate(imitations.SEVEN)])
def test_codes_of_expw(code, emotion, tmp_path):
    imitations.touched(tmp_path, "image/origin/a.jpg")
    imitations.write_text(tmp_path / "label/label.lst", f"a.jpg 3 20 10 40 60 22.9 {code}\n")
    sample = read("expw", tmp_path)["a/3"]
    assert (sample.emotion, sample.image.box) == (emotion, (10, 20, 40, 60))


@pytest.mark.parametrize(("code", "emotion"), imitations.KDEF_WORDS.items())
def test_codes_of_kdef(code, emotion, tmp_path):
    imitations.touched(tmp_path, f"BM07{code}S.JPG", f"am07{code.lower()}s.jpg")
    samples = read("kdef", tmp_path)
    assert {(one.subject, one.emotion) for one in samples.values()} == {("M07", Emotion(emotion))}
    assert set(samples) == {f"BM07{code}S", f"AM07{code}S"}


@pytest.mark.parametrize(("word", "emotion"), imitations.RAFD_WORDS.items())
def test_words_of_rafd(word, emotion, tmp_path):
    imitations.touched(tmp_path, f"Rafd090_28_Caucasian_male_{word}_frontal.jpg")
    (sample,) = read("rafd", tmp_path).values()
    assert (sample.subject, sample.emotion) == ("28", emotion)


@pytest.mark.parametrize(("folder", "emotion"), imitations.OULU_FOLDERS.items())
def test_folders_of_oulucasia(folder, emotion, tmp_path):
    imitations.touched(tmp_path, f"OriginalImg/VL/Strong/P080/{folder}/000.jpeg")
    sample = read("oulucasia", tmp_path)[f"VL_Strong_P080_{folder}_000"]
    assert (sample.subject, sample.sequence, sample.frame) == ("P080", f"VL_Strong_P080_{folder}", 0)
    assert sample.emotion == emotion


def test_ferplus_labels_by_the_majority_and_keeps_its_splits(portrait, tmp_path):
    rows = imitations.fer2013_rows(portrait)
    imitations.write_fer2013plus(tmp_path, rows)
    samples = read("fer2013plus", tmp_path)
    assert (samples["fer0000003"].emotion, samples["fer0000003"].split) == (Emotion.HAPPY, "train")
    assert samples["fer0000027"].split == "test"
    assert "fer0000008" not in samples


def test_votes_without_majority_leave_ferplus_without_a_label(portrait, tmp_path):
    (row,) = imitations.fer2013_rows(portrait, training=1, tests=0)
    imitations.write_fer2013_csv(tmp_path / "fer2013.csv", [row])
    text = f"{imitations.FERPLUS_HEADER}\nTraining,fer0000000.png,5,5,0,0,0,0,0,0,0,0\n"
    imitations.write_text(tmp_path / "fer2013new.csv", text)
    assert read("fer2013plus", tmp_path)["fer0000000"].emotion is None


# Choices


def test_every_choice_of_every_reader_has_a_default():
    for reader in READERS.values():
        assert all(len(choice.values) > 1 for choice in reader.choices.values())
        assert reader.choose({}) == {name: choice.values[0] for name, choice in reader.choices.items()}


@pytest.mark.parametrize(("angles", "kdef", "rafd"), [("frontal", 1, 1), ("half", 3, 3), ("all", 5, 5)])
def test_angles_are_chosen(angles, kdef, rafd, tmp_path):
    for angle in ("S", "HL", "HR", "FL", "FR"):
        imitations.touched(tmp_path / "kdef", f"AF01AN{angle}.JPG")
    for angle in ("000", "045", "090", "135", "180"):
        imitations.touched(tmp_path / "rafd", f"Rafd{angle}_01_Kid_female_sad_left.jpg")
    for name, count in (("kdef", kdef), ("rafd", rafd)):
        reader = READERS[name](tmp_path / name, angles=angles)
        assert len(list(reader)) == count
        assert Counter(one.reason for one in reader.rejected)["not_selected"] == 5 - count
        assert sum(reader.layout.published.counts[""].values()) == count * (980 if name == "kdef" else 1608)


def test_rafdb_reads_aligned_or_original_images(portrait, tmp_path):
    imitations.write_rafdb(tmp_path, portrait, versions=("aligned", "original"))
    aligned, original = read("rafdb", tmp_path), read("rafdb", tmp_path, images="original")
    assert set(aligned) == set(original)
    assert aligned["train_00001"].image.read().shape == (100, 100, 3)
    assert original["train_00001"].image.read().shape == portrait.shape


def test_a_version_that_is_not_there_names_the_other(tmp_path):
    imitations.touched(tmp_path, "Image/aligned/train_00001_aligned.jpg")
    imitations.write_text(tmp_path / "EmoLabel/list_patition_label.txt", "train_00001.jpg 5\n")
    with pytest.raises(DatasetError, match="--rafdb-images aligned"):
        READERS["rafdb"](tmp_path, images="original")


def test_affectnet_reads_labels_of_people_of_a_network_or_both(portrait, tmp_path):
    imitations.write_affectnet(tmp_path, portrait)
    imitations.write_affectnet(tmp_path, portrait, kind="Automatically", lists=("automatically_annotated.csv",))
    counts = {labels: len(read("affectnet", tmp_path, labels=labels)) for labels in ("manual", "automatic", "both")}
    assert counts == {"manual": 16, "automatic": 8, "both": 24}
    assert READERS["affectnet"](tmp_path).notes == ["labels=manual: 11 images of the other kind of labels are not read"]


def test_oulucasia_reads_one_camera_and_light(tmp_path):
    for place in ("OriginalImg/VL/Strong", "OriginalImg/VL/Dark", "OriginalImg/NI/Strong"):
        imitations.touched(tmp_path, f"{place}/P001/Anger/000.jpeg")
    imitations.touched(tmp_path, "PreProcess_Img/VL_Acropped/Strong/P001/Anger/000.jpeg")
    assert set(read("oulucasia", tmp_path)) == {"VL_Strong_P001_Anger_000"}
    assert set(read("oulucasia", tmp_path, camera="infrared")) == {"NI_Strong_P001_Anger_000"}
    assert len(read("oulucasia", tmp_path, light="all")) == 2
    (cropped,) = read("oulucasia", tmp_path, images="cropped").values()
    assert "VL_Acropped" in cropped.image.blob.name
    with pytest.raises(DatasetError, match="it has camera infrared, light strong"):
        READERS["oulucasia"](tmp_path, camera="infrared", light="weak")


def test_oulucasia_is_read_from_any_folder_of_its_tree(tmp_path):
    imitations.touched(tmp_path, "OriginalImg/VL/Weak/P001/Anger/000.jpeg")
    weak = tmp_path / "OriginalImg" / "VL" / "Weak"
    assert set(read("oulucasia", weak, light="weak")) == {"VL_Weak_P001_Anger_000"}
    assert set(read("oulucasia", weak / "P001", light="weak")) == {"VL_Weak_P001_Anger_000"}


@pytest.mark.parametrize(
    ("choices", "message"),
    [({"angles": "side"}, "frontal, half, all, got 'side'"), ({"light": "dark"}, "no choice light; it has angles")],
)
def test_unknown_choices_are_refused(choices, message, tmp_path):
    with pytest.raises(OptionError, match=message):
        READERS["kdef"](imitations.touched(tmp_path, "AF01ANS.JPG"), **choices)


@pytest.mark.parametrize(
    ("choices", "message"), [({"kdef_angles": "side"}, "got 'side'"), ({"rafd_angles": "all"}, "not among kdef")]
)
def test_choices_of_a_build_are_checked(choices, message):
    with pytest.raises(OptionError, match=message):
        BuildOptions({"kdef": "kdef"}, choices=choices)


def test_choices_of_a_build_reach_the_reader_and_dataset_json(tmp_path):
    imitations.touched(tmp_path, "AF01ANS.JPG", "AF01ANHL.JPG")
    options = BuildOptions({"kdef": str(tmp_path)}, choices={"kdef_angles": "half"})
    assert len(prepare(options).surveys["kdef"].samples) == 2
    assert BuildOptions.from_dict(options.to_dict()) == options
    stored = options.to_dict()
    del stored["choices"]  # as older versions wrote it
    assert BuildOptions.from_dict(stored).choices == {}


# What is damaged or missing


def test_rafdb_says_what_is_wrong_with_its_list(tmp_path):
    names = ("train_00001", "train_00002", "train_00003", "train_00004", "train_00005")
    imitations.touched(tmp_path, *(f"Image/aligned/{name}_aligned.jpg" for name in names), "Image/aligned/other.jpg")
    rows = [
        "train_00001.jpg 5",
        "train_00002.jpg 0",
        "train_00003.jpg",
        "train_00001.jpg 5",
        "test_0001.jpg 7",
        "junk 1",
    ]
    imitations.write_text(tmp_path / "EmoLabel/list_patition_label.txt", "\n".join(rows))
    reader = READERS["rafdb"](tmp_path)
    assert [sample.key for sample in reader] == ["rafdb/train_00001"]
    assert {key: reason for key, (reason, _) in rejections(reader).items()} == {
        "train_00001": "bad_row",
        "train_00002": "bad_label",
        "row 3": "bad_row",
        "row 6": "bad_row",
        "test_0001": "unreadable",
        "train_00003": "no_label",
        "train_00004": "no_label",
        "train_00005": "no_label",
        "Image/aligned/other.jpg": "bad_label",
    }


def test_labels_of_compound_expressions_are_refused(tmp_path):
    imitations.touched(tmp_path, "Image/aligned/train_0001_aligned.jpg", "Image/aligned/train_0002_aligned.jpg")
    imitations.write_text(tmp_path / "EmoLabel/list_patition_label.txt", "train_0001.jpg 5\ntrain_0002.jpg 11\n")
    with pytest.raises(DatasetError, match="compound expressions: give the folder basic"):
        READERS["rafdb"](tmp_path)


@pytest.mark.parametrize("content", [b"\x00\x01\x02", b"\xff\xfe\xfa train"])
@pytest.mark.parametrize(
    ("name", "table", "image"),
    [
        ("rafdb", "EmoLabel/list_patition_label.txt", "Image/aligned/train_00001_aligned.jpg"),
        ("expw", "label.lst", "origin/a.jpg"),
        ("affectnet", "training.csv", "Manually_Annotated_Images/1/a.jpg"),
    ],
)
def test_a_damaged_list_is_named(name, table, image, content, tmp_path):
    imitations.touched(tmp_path, image, table)
    (tmp_path / table).write_bytes(content)
    with pytest.raises(DatasetError, match=rf"{table}: not a text"):
        list(READERS[name](tmp_path))


def test_expw_says_what_is_wrong_with_its_rows(tmp_path):
    imitations.touched(tmp_path, "origin/a.jpg", "origin/lonely.jpg")
    rows = ["a.jpg 0 1 2 30 40 9.5 3", "a.jpg 1 1 2 30 40 9.5 7", "a.jpg 2 1 30 2 40 9.5 3", "a.jpg 0 1 2 30 40 9.5 3"]
    rows += ["gone.jpg 0 1 2 30 40 9.5 3", "a.jpg 3 3"]
    imitations.write_text(tmp_path / "label.lst", "\n".join(rows))
    reader = READERS["expw"](tmp_path)
    assert [sample.key for sample in reader] == ["expw/a/0"]
    assert {key: reason for key, (reason, _) in rejections(reader).items()} == {
        "a/1": "bad_label",
        "a/2": "bad_row",
        "a/0": "bad_row",
        "gone/0": "unreadable",
        "row 6": "bad_row",
        "lonely.jpg": "no_label",
    }


def test_affectnet_takes_an_image_from_one_of_two_copies_of_a_list(portrait, tmp_path):
    imitations.write_affectnet(tmp_path, portrait)
    once = read("affectnet", tmp_path)
    lists = tmp_path / "Manually_Annotated_file_lists"
    shutil.copy(lists / "training.csv", tmp_path / "Manually_Annotated_Images")
    reader = READERS["affectnet"](tmp_path)
    assert len([*reader]) == len(once)
    assert any("the same image as in" in one.detail for one in reader.rejected)


def test_affectnet_knows_the_folder_of_automatic_labels_by_its_own_name(portrait, tmp_path):
    imitations.write_affectnet(tmp_path, portrait, kind="Automatically", lists=("automatically_annotated.csv",))
    images = tmp_path / "Automatically_Annotated_Images"
    shutil.copy(tmp_path / "Automatically_Annotated_file_lists" / "automatically_annotated.csv", images)
    assert len(read("affectnet", images, labels="automatic")) == 8


def test_affectnet_says_what_is_wrong_with_its_rows(tmp_path):
    imitations.touched(tmp_path, *(f"Manually_Annotated_Images/1/{name}.jpg" for name in "abcde"))
    rows = ["1/a.jpg,1,2,30,40,0;0,1,0,0", "1/b.jpg,1,2,30,40,0;0,9,0,0", "1/c.jpg,1,2,30,40,0;0,happy,0,0"]
    rows += [
        "1/d.jpg,1,2,-1,40,0;0,1,0,0",
        "1/gone.jpg,1,2,30,40,0;0,1,0,0",
        "1/a.jpg,1,2,30,40,0;0,1,0,0",
        "1/f.jpg,1",
    ]
    imitations.write_text(tmp_path / "training.csv", "\n".join([imitations.AFFECTNET_HEADER, *rows]))
    reader = READERS["affectnet"](tmp_path)
    assert [sample.key for sample in reader] == ["affectnet/1/a.jpg"]
    assert {key: reason for key, (reason, _) in rejections(reader).items()} == {
        "1/b.jpg": "no_label",
        "1/c.jpg": "bad_label",
        "1/d.jpg": "bad_row",
        "1/gone.jpg": "unreadable",
        "1/a.jpg": "bad_row",
        "training.csv/8": "bad_row",
        "1/e.jpg": "no_label",
    }


def test_affectnet_lists_without_their_columns_are_refused(tmp_path):
    imitations.touched(tmp_path, "Manually_Annotated_Images/1/a.jpg")
    imitations.write_text(tmp_path / "training.csv", "path,label\n1/a.jpg,3\n")
    with pytest.raises(DatasetError, match=r"training\.csv.*no column subDirectory_filePath.*found path, label"):
        READERS["affectnet"](tmp_path)


def test_affectnet_arrays_that_hold_no_code_are_rejected(tmp_path):
    imitations.touched(tmp_path, *(f"train_set/images/{number}.jpg" for number in range(4)))
    (tmp_path / "train_set" / "annotations").mkdir()
    np.save(tmp_path / "train_set/annotations/0_exp.npy", np.array("3"))
    np.save(tmp_path / "train_set/annotations/1_exp.npy", np.array([{"code": 3}]), allow_pickle=True)
    (tmp_path / "train_set/annotations/2_exp.npy").write_bytes(b"no array")
    reader = READERS["affectnet"](tmp_path)
    assert [sample.emotion for sample in reader] == [Emotion.SURPRISE]
    assert {key: reason for key, (reason, _) in rejections(reader).items()} == {
        "train_set/1": "bad_label",
        "train_set/2": "bad_label",
        "train_set/3": "no_label",
    }


def test_kdef_names_the_files_that_lost_part_of_their_names(tmp_path):
    imitations.touched(tmp_path, "AF01ANS.JPG", "KDEF/AF31V.JPG", "AKDEF/FANS.JPG", "copy/AF01ANS.jpg")
    found = {key: reason for key, (reason, _) in rejections(READERS["kdef"](tmp_path)).items()}
    assert found == {"KDEF/AF31V.JPG": "bad_label", "FANS": "not_selected", "AF01ANS": "converted_copy"}


def test_sfew_has_no_labels_for_its_test_images(tmp_path):
    name = "Airheads_000519240_00000005.png"
    imitations.touched(tmp_path, f"Train/Train_Aligned_Faces/Angry/{name}", "Test/Test_Aligned_Faces/1.png")
    imitations.touched(tmp_path, f"Val/Val_Aligned_Faces/Cross/{name}", f"Train/Angry/{name}")
    reader = READERS["sfew"](tmp_path)
    assert [(sample.split, sample.emotion) for sample in reader] == [("train", Emotion.ANGRY)]
    assert sorted(reason for reason, _ in rejections(reader).values()) == ["bad_label", "no_label", "not_selected"]


# Faces in larger photos


def test_a_face_is_read_with_its_surroundings(portrait, tmp_path):
    imitations.write_expw(tmp_path, portrait)
    first, second = (read("expw", tmp_path)[f"angry_search_0/{face}"].image for face in (0, 1))
    left, top, right, bottom = first.box
    height, width = first.read().shape[:2]
    assert width == pytest.approx(1.6 * (right - left), abs=2)
    assert height == pytest.approx(1.6 * (bottom - top), abs=2)
    assert np.abs(first.read().astype(int) - second.read()).mean() < 10  # the photo shows one scene twice


def test_a_face_box_outside_its_photo_is_told_when_read(portrait, tmp_path):
    imitations.write_photo(tmp_path / "origin" / "a.jpg", portrait, 1)
    imitations.write_text(tmp_path / "label.lst", "a.jpg 0 1000 2000 2100 1100 9.5 3\n")
    (sample,) = read("expw", tmp_path).values()
    with pytest.raises(ImageError, match=r"a\.jpg: the face box .* outside its 512 x 320"):
        sample.image.read()


# The archives that they come in


def test_rafdb_is_read_from_the_zips_in_its_folders(portrait, tmp_path):
    imitations.write_rafdb(tmp_path, portrait, versions=("aligned", "original"))
    for version in ("aligned", "original"):
        place = tmp_path / "Image" / version
        imitations.pack(place, tmp_path / "Image" / f"{version}.zip")
        shutil.rmtree(place)
    assert len(read("rafdb", tmp_path)) == len(read("rafdb", tmp_path, images="original")) == 14


def test_rafdb_finds_the_chosen_images_in_a_zip_beside_the_others(portrait, tmp_path):
    imitations.write_rafdb(tmp_path, portrait, versions=("aligned", "original"))
    imitations.pack(tmp_path / "Image/aligned", tmp_path / "Image/aligned.zip")
    shutil.rmtree(tmp_path / "Image/aligned")
    assert len(read("rafdb", tmp_path)) == 14


def test_rafdb_leaves_the_compound_expressions_beside_it_out(tmp_path):
    for part, code in (("basic", 5), ("compound", 11)):
        imitations.touched(tmp_path, f"{part}/Image/aligned/train_00001_aligned.jpg")
        imitations.write_text(tmp_path / part / "EmoLabel/list_patition_label.txt", f"train_00001.jpg {code}\n")
    reader = READERS["rafdb"](tmp_path)
    assert [(sample.key, sample.emotion) for sample in reader] == [("rafdb/train_00001", Emotion.SAD)]
    assert [reason for reason, _ in rejections(reader).values()] == ["not_selected"]


def test_sfew_is_read_from_zips_of_class_folders(portrait, tmp_path):
    imitations.write_sfew(tmp_path, portrait)
    for place in (tmp_path / "Train/Train_Aligned_Faces", tmp_path / "Val/Val_Aligned_Faces_new/Val_Aligned_Faces"):
        imitations.pack(place, place.parent / f"{place.name}.zip")
        shutil.rmtree(place)
    splits = Counter(sample.split for sample in read("sfew", tmp_path).values())
    assert splits == {"train": 7, "validation": 7}
