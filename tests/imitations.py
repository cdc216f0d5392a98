"""Tiny imitations of the published data sets, in their exact layouts, made of one portrait in the public domain.

Each writer makes its folder and returns what a reader is to be given. Faces differ from person to person in width
and light, and expressions are warps of the mouth and the brows, so that pictures are no copies of each other.

    python tests/imitations.py FOLDER [--people 20]

writes FOLDER/CK+ and FOLDER/jaffe, to try what asks for data that may not be passed on.
"""

from __future__ import annotations

import argparse
import csv
import shutil
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from emonet.labels import Emotion

FACE_CENTRE_XY = (224.5, 117.5)  # of the portrait in conftest.py, and its parts
MOUTH_XY = (224, 142)
MOUTH_CORNERS_XY = ((202, 140), (246, 143))
BROWS_XY = ((205, 90), (248, 93))
FACE_SIDE = 113

CK_CODES = {0: "neutral", 1: "angry", 2: "contempt", 3: "disgust", 4: "fear", 5: "happy", 6: "sad", 7: "surprise"}
CK48_FOLDERS = {1: "anger", 2: "contempt", 3: "disgust", 4: "fear", 5: "happy", 6: "sadness", 7: "surprise"}
JAFFE_PEOPLE = ("KA", "KL", "KM", "KR", "MK", "NA", "NM", "TM", "UY", "YM")
JAFFE_CODES = ("AN", "DI", "FE", "HA", "NE", "SA", "SU")
JAFFE_FOLDERS = {
    "AN": "ANGRY",
    "DI": "Disgust",
    "FE": "FEAR",
    "HA": "happy",
    "NE": "Neutral",
    "SA": "SAD",
    "SU": "SURPRISE",
}
KAGGLE_FOLDERS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")  # by FER2013's code
FERPLUS_HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
FERPLUS_FOLDERS = {"Training": "FER2013Train", "PublicTest": "FER2013Valid", "PrivateTest": "FER2013Test"}

# How an expression moves the face, in pixels of the portrait: mouth corners outwards and down, lips apart, brows down.
MOVES = {
    "neutral": (0, 0, 0, 0),
    "angry": (-3, 1, 0, 5),
    "contempt": (1, -2, 0, 1),
    "disgust": (1, -3, 2, 3),
    "fear": (4, 2, 3, -3),
    "happy": (5, -6, 1, 0),
    "sad": (-1, 5, 0, -2),
    "surprise": (-3, 1, 9, -6),
}


def rejections(reader):
    """Reads everything; key -> reason of what was rejected."""
    list(reader)
    return {rejected.key: rejected.reason for rejected in reader.rejected}


def expression(portrait, emotion, activation):
    """The portrait with an expression between none (0) and its peak (1)."""
    outwards, down, apart, brows = (activation * part for part in MOVES[emotion])
    left, right = MOUTH_CORNERS_XY
    pushes = [(left, (-outwards, down), 11), (right, (outwards, down), 11)]
    pushes += [((MOUTH_XY[0], MOUTH_XY[1] + 10), (0, apart), 12), (MOUTH_XY, (0, -apart / 3), 6)]
    pushes += [(place, (0, brows), 12) for place in BROWS_XY]
    return warped(portrait, pushes)


def person(portrait, number):
    """The portrait as that of somebody else: wider or narrower, in another light."""
    width = 1 + 0.03 * ((number * 3) % 7 - 3)
    turn = np.float32([[width, 0, FACE_CENTRE_XY[0] * (1 - width)], [0, 1, 0]])
    image = cv2.warpAffine(portrait, turn, portrait.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    light = 0.75 + 0.05 * ((number * 7) % 10)
    return np.clip(255 * (image / 255.0) ** (1 / light), 0, 255).astype(np.uint8)


def warped(image, pushes):
    """The image with a smooth push (dx, dy) around each place (x, y) that fades over so many pixels."""
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    map_x, map_y = x.copy(), y.copy()
    for (at_x, at_y), (dx, dy), reach in pushes:
        share = np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / (2 * reach**2))
        map_x -= dx * share
        map_y -= dy * share
    return cv2.remap(image, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def framed(image, size_wh, scale, grey=True):
    """A window of the enlarged portrait about its face."""
    width, height = size_wh
    matrix = np.float32([[scale, 0, width / 2 - scale * FACE_CENTRE_XY[0]], [0, scale, height / 2 - scale * 125]])
    window = cv2.warpAffine(image, matrix, size_wh, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return cv2.cvtColor(window, cv2.COLOR_RGB2GRAY) if grey else window


def noisy(image, seed):
    """The image with a camera's noise: no two frames are alike, however still a face is held."""
    noise = np.random.default_rng(seed).integers(-2, 3, image.shape, np.int8)
    return np.clip(image.astype(np.int16) + noise, 0, 255).astype(np.uint8)


def small_face(portrait, number, emotion="neutral", activation=1.0):
    """One of many grey faces of 48 x 48 pixels, framed as FER2013's; another number is another picture."""
    random = np.random.default_rng(number)
    image = expression(person(portrait, number), emotion, activation)
    scale = 48 / FACE_SIDE * random.uniform(0.97, 1.03)
    x, y = np.array(FACE_CENTRE_XY) + random.uniform(-2, 2, 2)
    matrix = np.float32([[scale, 0, 24 - scale * x], [0, scale, 24 - scale * y]])
    face = cv2.warpAffine(image, matrix, (48, 48), flags=cv2.INTER_AREA)
    return noisy(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), number)


def save(path, image):
    """Write a picture, in the format of its suffix; quickly rather than small."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    options = [cv2.IMWRITE_PNG_COMPRESSION, 1] if path.suffix == ".png" else []
    if not cv2.imwrite(str(path), image, options):
        raise OSError(f"{path} was not written")
    return path


def write_text(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def touched(folder, *names):
    """Files without content: readers go by names."""
    for name in names:
        write_text(folder / name, "")
    return folder


@dataclass(frozen=True)
class Clip:
    """One sequence of CK+: its label's code or None, the numbers of its frames and what they look like."""

    subject: str
    sequence: str
    code: int | None
    numbers: tuple[int, ...]
    size_wh: tuple[int, int] = (640, 490)
    grey: bool = True


def ckplus_clips(subjects=4, frames=10):
    """Two sequences a person, of several sizes and numberings; the first has an empty folder in place of its label."""
    clips = []
    for person_number in range(subjects):
        for take in (1, 2):
            index = 2 * person_number + take - 1
            first = 5 if index % 4 == 3 else 1
            numbers = tuple(first + frame + (frame > 2) * (index % 4 == 3) for frame in range(frames))
            size_wh = {2: (640, 480), 5: (720, 480)}.get(index % 8, (640, 490))
            code = None if index == 0 else 1 + (index + 5) % 7
            clips.append(Clip(f"S{10 + person_number:03d}", f"{take:03d}", code, numbers, size_wh, index % 8 != 5))
    return clips


def activations(frames):
    """From neutral to the peak: still for a third, then a smooth rise that ends before the last frames."""
    course = np.clip((np.arange(frames) - frames / 3) / (frames / 2), 0, 1)
    return course * course * (3 - 2 * course)


def write_ckplus(folder, portrait, *, subjects=4, frames=10, clips=None, images="cohn-kanade-images", labels="Emotion"):
    """The official tree with Landmarks and FACS, and with what the file manager left behind."""
    for clip in ckplus_clips(subjects, frames) if clips is None else clips:
        place = Path(clip.subject) / clip.sequence
        emotion = CK_CODES.get(clip.code, "surprise")
        poser = person(portrait, int(clip.subject[1:]))
        for number, activation in zip(clip.numbers, activations(len(clip.numbers)), strict=True):
            stem = f"{clip.subject}_{clip.sequence}_{number:08d}"
            frame = framed(expression(poser, emotion, activation), clip.size_wh, 1.9, clip.grey)
            save(
                folder / images / place / f"{stem}.png",
                noisy(frame, (int(clip.subject[1:]), int(clip.sequence), number)),
            )
            write_landmarks(folder / "Landmarks" / place / f"{stem}_landmarks.txt", emotion, activation, clip.size_wh)
        (folder / labels / place).mkdir(parents=True)
        write_text(folder / "FACS" / place / f"{stem}_facs.txt", "   1.2000000e+01   3.0000000e+00\n")
        if clip.code is not None:
            write_text(folder / labels / place / f"{stem}_emotion.txt", f"   {clip.code:.7e}\n")
    for name in (".DS_Store", f"{images}/.DS_Store", f"{images}/S010/Thumbs.db"):
        write_text(folder / name, "left behind")
    return folder


def write_landmarks(path, emotion, activation, size_wh, scale=1.9):
    """68 points: 64 on an ellipse around the face that do not move, two mouth corners and two brows that do."""
    outwards, down, _, brows = (activation * part for part in MOVES[emotion])
    turns = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    still = np.stack([45 * np.cos(turns), 58 * np.sin(turns)], axis=1) + FACE_CENTRE_XY
    moved = np.add(MOUTH_CORNERS_XY, [[-outwards, down], [outwards, down]])
    points = np.concatenate([still, moved, np.add(BROWS_XY, [0, brows])])
    points = (points - (FACE_CENTRE_XY[0], 125)) * scale + np.array(size_wh) / 2
    return write_text(path, "".join(f"   {x:.7e}   {y:.7e}\n" for x, y in points))


def write_ckplus48(folder, portrait, *, subjects=4, names=True):
    """The last three frames of each labelled sequence as small faces; renamed copies have lost their names."""
    count = 0
    for clip in ckplus_clips(subjects):
        for number in clip.numbers[-3:] if clip.code else ():
            count += 1
            name = f"{clip.subject}_{clip.sequence}_{number:08d}.png" if names else f"image{count:04d}.png"
            face = small_face(portrait, 100 * int(clip.subject[1:]) + number, CK_CODES[clip.code])
            save(folder / "CK+48" / CK48_FOLDERS[clip.code] / name, face)
    return folder


def pixels(image):
    return " ".join(map(str, image.ravel()))


def write_ckextended(folder, portrait, *, rows=16):
    """ckextended.csv: codes as FER2013's and 7 for contempt, most rows for training."""
    usages = ("Training", "Training", "PublicTest", "PrivateTest")
    lines = ["emotion,pixels,Usage"]
    for row in range(rows):
        code = row % 8
        face = small_face(portrait, 500 + row, list(Emotion)[code])
        lines.append(f"{code},{pixels(face)},{usages[row % 4]}")
    return write_text(folder / "ckextended.csv", "\n".join(lines) + "\n")


def jaffe_names(people=JAFFE_PEOPLE, suffix=".tiff"):
    """A picture of each expression a person, with takes and numbers that skip as the published ones do."""
    number = 0
    for name in people:
        for index, code in enumerate(JAFFE_CODES):
            number += 1 + (index == 2)
            yield f"{name}.{code}{1 + index % 3}.{number}{suffix}"


def write_jaffe(folder, portrait, *, people=JAFFE_PEOPLE, suffix=".tiff", classes=None, names=True):
    """256 x 256 grey pictures, flat as published, or with `classes` (code -> folder) in class folders."""
    for number, name in enumerate(jaffe_names(people, suffix)):
        code = name[3:5]
        word = {"AN": "angry", "DI": "disgust", "FE": "fear", "HA": "happy", "SA": "sad", "SU": "surprise"}
        poser = person(portrait, people.index(name[:2]))
        picture = framed(expression(poser, word.get(code, "neutral"), 1.0), (256, 256), 1.1 + 0.01 * (number % 7))
        place = folder / classes[code] if classes else folder
        save(place / (name if names else f"{number + 1}{suffix}"), picture)
    write_text(folder / "README_FIRST.txt", "please read")
    write_text(folder / "a_names.dat", "KA.AN1.39")
    write_text(folder / ".DS_Store", "left behind")
    return folder


def jaffe_writer(people=JAFFE_PEOPLE[:3], **options):
    """write_jaffe with its options given, for a few people."""
    return lambda folder, portrait: write_jaffe(folder, portrait, people=people, **options)


def write_jaffe_list(folder, portrait, *, people=("KA", "KL")):
    """data.csv beside renamed images."""
    lines = ["filepath,facial_expression"]
    for number, name in enumerate(jaffe_names(people)):
        word = KAGGLE_FOLDERS[(0, 1, 2, 3, 6, 4, 5)[JAFFE_CODES.index(name[3:5])]]
        picture = framed(expression(person(portrait, number), word, 1.0), (256, 256), 1.1)
        save(folder / "images" / f"{number:03d}.png", picture)
        lines.append(f"images/{number:03d}.png,{word}")
    write_text(folder / "data.csv", "\n".join(lines) + "\n")
    return folder


def write_photo(path, portrait, number, emotion="neutral"):
    return save(path, expression(person(portrait, number), emotion, 1.0))


def write_folder(folder, portrait):
    """Photos in class folders with splits above them, folders below them and other matter beside them."""
    names = ("train/Happy/a.jpg", "train/happy/summer/b.png", "train/Sadness/c.jpg", "val/01_surprised/d.jpg")
    for number, name in enumerate((*names, "test/ANGRY/e.jpg", "test/ANGRY/no suffix")):
        path = folder / name
        emotion = ("happy", "happy", "sad", "surprise", "angry", "angry")[number]
        write_photo(path.with_name(f"{path.stem}.jpg"), portrait, number, emotion).rename(path)
    write_text(folder / "README.txt", "my photos")
    write_text(folder / "train/happy/.DS_Store", "left behind")
    return folder


def write_photo_list(folder, portrait, *, header="path,label,subject,split"):
    """A CSV beside photos that lie in folders named after people."""
    emotions = ("happy", "sad", "angry", "neutral")
    lines = [header]
    for number, emotion in enumerate(emotions):
        for subject in ("anna", "otto"):
            write_photo(folder / subject / f"{number}.jpg", portrait, number + 10 * (subject == "otto"), emotion)
            split = "val" if number == 3 else "train"
            lines.append(",".join([f"{subject}/{number}.jpg", emotion, subject, split][: header.count(",") + 1]))
    write_text(folder / "photos.csv", "\n".join(lines) + "\n")
    return folder


@dataclass(frozen=True)
class Row:
    """One row of an imitation of FER2013."""

    code: int
    usage: str
    face: np.ndarray


def fer2013_rows(portrait, *, training=14, tests=7):
    """Every expression in turn; Training, PublicTest and PrivateTest in that order."""
    usages = ["Training"] * training + ["PublicTest"] * tests + ["PrivateTest"] * tests
    faces = (small_face(portrait, row, list(Emotion)[row % 7]) for row in range(len(usages)))
    return [Row(row % 7, usage, face) for row, (usage, face) in enumerate(zip(usages, faces, strict=True))]


def write_fer2013_csv(path, rows, *, layout="kaggle"):
    """fer2013.csv; `icml` has spaces in its header and another order of columns."""
    header = {"kaggle": "emotion,pixels,Usage", "icml": "emotion, Usage, pixels", "train": "emotion,pixels"}[layout]
    lines = [header]
    for row in rows:
        cells = {"emotion": str(row.code), "pixels": pixels(row.face), "Usage": row.usage}
        lines.append(",".join(cells[name.strip()] for name in header.split(",")))
    return write_text(path, "\n".join(lines) + "\n")


def write_fer2013_competition(folder, rows):
    """The competition's pair: test.csv has no labels."""
    write_fer2013_csv(folder / "train.csv", [row for row in rows if row.usage == "Training"], layout="train")
    lines = ["pixels", *(pixels(row.face) for row in rows if row.usage != "Training")]
    write_text(folder / "test.csv", "\n".join(lines) + "\n")
    return folder


def write_fer2013_split_csvs(folder, rows):
    """train.csv, val.csv (PublicTest) and test.csv (PrivateTest)."""
    for name, usage in (("train", "Training"), ("val", "PublicTest"), ("test", "PrivateTest")):
        write_fer2013_csv(folder / f"{name}.csv", [row for row in rows if row.usage == usage], layout="train")
    return folder


def write_fer2013_tree(folder, rows, *, validation=None, augmented=False, classes=KAGGLE_FOLDERS):
    """Kaggle's image tree; `validation` is PublicTest's own folder, `augmented` adds copies of one class."""
    places = {"Training": "train", "PublicTest": validation or "test", "PrivateTest": "test"}
    for number, row in enumerate(rows):
        place = folder / places[row.usage] / classes[row.code]
        save(place / f"{row.usage}_{10_000 + 37 * number}.jpg", row.face)
        for copy in range(3) if augmented and row.code == 1 else ():
            save(place / f"{row.usage}_{10_000 + 37 * number}.jpg{copy}.jpg", row.face[:, ::-1])
    return folder


def votes_of(row, number):
    """Ten votes in the order of FERPLUS_HEADER, most of them for the row's label; every ninth row is no face."""
    column = {0: 4, 1: 5, 2: 6, 3: 1, 4: 3, 5: 2, 6: 0}[row.code]
    counts = [0] * 10
    counts[9 if number % 9 == 8 else column] = 7
    counts[7] = 2
    counts[8] = 1
    return counts


def write_ferplus_votes(path, rows):
    """fer2013new.csv; the images that FER+ left out have no name."""
    lines = [FERPLUS_HEADER]
    for number, row in enumerate(rows):
        votes = votes_of(row, number)
        lines.append(",".join([row.usage, "" if votes[9] == 7 else f"fer{number:07d}.png", *map(str, votes)]))
    return write_text(path, "\n".join(lines) + "\n")


def write_ferplus_tree(folder, rows):
    """FER2013Train, FER2013Valid and FER2013Test, each with its label.csv."""
    for usage, name in FERPLUS_FOLDERS.items():
        (folder / name).mkdir(parents=True)
        with (folder / name / "label.csv").open("w", newline="") as file:
            for number, row in enumerate(rows):
                if row.usage == usage and votes_of(row, number)[9] < 7:
                    save(folder / name / f"fer{number:07d}.png", row.face)
                    csv.writer(file).writerow([f"fer{number:07d}.png", "(0, 0, 48, 48)", *votes_of(row, number)])
    return folder


def write_fer2013_parquet(folder, rows, *, names=KAGGLE_FOLDERS):
    """As on Hugging Face: a file for each split, and the labels' names in its metadata."""
    from datasets import ClassLabel, Dataset, Features, Value
    from datasets import Image as ImageFeature

    folder.mkdir(parents=True, exist_ok=True)
    label = ClassLabel(names=list(names)) if names else Value("int64")
    for usage, name in {"Training": "train", "PublicTest": "publicTest", "PrivateTest": "privateTest"}.items():
        own = [row for row in rows if row.usage == usage]
        images = [{"bytes": cv2.imencode(".png", row.face)[1].tobytes(), "path": None} for row in own]
        columns = {"image": images, "label": [row.code for row in own]}
        table = Dataset.from_dict(columns, features=Features({"image": ImageFeature(), "label": label}))
        table.to_parquet(str(folder / f"{name}-00000-of-00001.parquet"))
    return folder


SEVEN = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
RAFDB_CODES = {"surprise": 1, "fear": 2, "disgust": 3, "happy": 4, "sad": 5, "angry": 6, "neutral": 7}
AFFECTNET_NAMES = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt")  # by code
AFFECTNET_HEADER = (
    "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"
)
KDEF_WORDS = {
    "AF": "fear",
    "AN": "angry",
    "DI": "disgust",
    "HA": "happy",
    "NE": "neutral",
    "SA": "sad",
    "SU": "surprise",
}
RAFD_WORDS = {
    "angry": "angry",
    "contemptuous": "contempt",
    "disgusted": "disgust",
    "fearful": "fear",
    "happy": "happy",
    "neutral": "neutral",
    "sad": "sad",
    "surprised": "surprise",
}
OULU_FOLDERS = {
    "Anger": "angry",
    "Disgust": "disgust",
    "Fear": "fear",
    "Happiness": "happy",
    "Sadness": "sad",
    "Surprise": "surprise",
}
SFEW_FOLDERS = ("Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral")  # in the order of SEVEN


def face_of(portrait, number, emotion, side):
    """One of many square colour faces."""
    face = framed(expression(person(portrait, number), emotion, 1.0), (side, side), side / 125, grey=False)
    return noisy(face, (side, number))


def write_rafdb(folder, portrait, *, each=2, versions=("aligned",)):
    """The folder basic: the list of labels, with aligned faces, original photos, or both."""
    lines = []
    for number in range(7 * each):
        emotion = SEVEN[number % 7]
        stem = f"test_{number:04d}" if number >= 7 * (each - 1) else f"train_{number:05d}"
        if "aligned" in versions:
            save(folder / "Image/aligned" / f"{stem}_aligned.jpg", face_of(portrait, number, emotion, 100))
        if "original" in versions:
            write_photo(folder / "Image/original" / f"{stem}.jpg", portrait, number, emotion)
        lines.append(f"{stem}.jpg {RAFDB_CODES[emotion]}")
    write_text(folder / "EmoLabel/list_patition_label.txt", "\n".join(lines) + "\n")
    return folder


def write_rafdb_kaggle(folder, portrait):
    """DATASET/train/5: folders by split and code, with tables that say the same."""
    for split, numbers in {"train": range(7), "test": range(7, 14)}.items():
        lines = ["image,label"]
        for number in numbers:
            emotion = SEVEN[number % 7]
            name = f"{split}_{number:0{5 if split == 'train' else 4}d}_aligned.jpg"
            code = RAFDB_CODES[emotion]
            save(folder / "DATASET" / split / str(code) / name, face_of(portrait, number, emotion, 100))
            lines.append(f"{name},{code}")
        write_text(folder / f"{split}_labels.csv", "\n".join(lines) + "\n")
    return folder


def photo_row(number):
    """The face box of a photo of `write_photo`: left, top, width and height."""
    half = FACE_SIDE / 2 + number % 3
    return tuple(round(value) for value in (FACE_CENTRE_XY[0] - half, FACE_CENTRE_XY[1] - half, 2 * half, 2 * half))


def write_affectnet(folder, portrait, *, kind="Manually", lists=("training.csv", "validation.csv"), header=True):
    """The first release: lists of photos with face boxes; codes 8 to 10 are no expressions."""
    for part, name in enumerate(lists):
        lines = [AFFECTNET_HEADER] if header else []
        for code in range(11):
            number = 100 * part + code
            path = f"{689 + code % 2}/{kind.lower()}{number:04d}.jpg"
            emotion = AFFECTNET_NAMES[code] if code < 8 else "neutral"
            write_photo(folder / f"{kind}_Annotated_Images" / path, portrait, number, emotion)
            box = ",".join(map(str, photo_row(number)))
            lines.append(f"{path},{box},{';'.join(['10.5'] * 136)},{code},-0.25,0.5")
        write_text(folder / f"{kind}_Annotated_file_lists" / name, "\n".join(lines) + "\n")
    return folder


def write_affectnet_sets(folder, portrait):
    """The later release: faces, each with arrays of its label, valence, arousal and landmarks."""
    for part, place in enumerate((folder / "train_set", folder / "val_set")):
        (place / "annotations").mkdir(parents=True)
        for code, emotion in enumerate(AFFECTNET_NAMES):
            number = 50 * part + code
            save(place / "images" / f"{number}.jpg", face_of(portrait, number, emotion, 224))
            for kind, value in {"exp": str(code), "val": "-0.25", "aro": "0.5"}.items():
                np.save(place / "annotations" / f"{number}_{kind}.npy", np.array(value))
            np.save(place / "annotations" / f"{number}_lnd.npy", np.zeros(136))
    return folder


def write_kdef(folder, portrait, *, people=("F01", "M02", "M33"), angles=("S", "HL", "FR"), sessions="A"):
    """KDEF and AKDEF; two of the files have lost part of their names, as in the published set."""
    for place, subject in enumerate(people):
        for session in sessions:
            for code, emotion in KDEF_WORDS.items():
                for angle in angles:
                    stem = f"{session}{subject}{code}{angle}"
                    number = 10 * place + ord(session)
                    photo = framed(expression(person(portrait, number), emotion, 1.0), (562, 762), 2.0, grey=False)
                    save(folder / "KDEF" / f"{session}{subject}" / f"{stem}.JPG", noisy(photo, (place, ord(code[1]))))
    write_photo(folder / "AKDEF" / "FANS.JPG", portrait, 1)
    write_photo(folder / "KDEF" / "AF31" / "AF31V.JPG", portrait, 2)
    return folder


def write_rafd(folder, portrait, *, people=3, angles=("090", "045"), gazes=("frontal", "left")):
    """RaFD: two adults and a child."""
    names = ("01_Caucasian_female", "29_Moroccan_male", "63_Kid_female")
    for place, person_name in enumerate(names[:people]):
        for word, emotion in RAFD_WORDS.items():
            for angle in angles:
                for gaze in gazes:
                    photo = framed(expression(person(portrait, place), emotion, 1.0), (340, 512), 1.5, grey=False)
                    name = f"Rafd{angle}_{person_name}_{word}_{gaze}.jpg"
                    save(folder / name, noisy(photo, (place, len(word), len(gaze), int(angle))))
    return folder


def write_oulucasia(folder, portrait, *, people=2, frames=5, lights=("Strong", "Dark"), version="OriginalImg/VL"):
    """Sequences from neutral to the peak, 320 x 240."""
    for number in range(1, people + 1):
        for place, (name, emotion) in enumerate(OULU_FOLDERS.items()):
            for frame, activation in enumerate(activations(frames)):
                for light in lights:
                    image = expression(person(portrait, number), emotion, activation)
                    image = noisy(framed(image, (320, 240), 1.2, grey=False), (number, place, frame))
                    save(folder / version / light / f"P{number:03d}" / name / f"{frame:03d}.jpeg", image)
    return folder


def write_sfew(folder, portrait, *, versions=("aligned",)):
    """Train and Val in class folders, and Test without labels."""
    places = {"Train": "Train_Aligned_Faces", "Val": "Val_Aligned_Faces_new/Val_Aligned_Faces"}
    for part, (split, aligned) in enumerate(places.items()):
        for place, emotion in enumerate(SEVEN):
            number = 10 * part + place
            name = f"{SFEW_FOLDERS[place]}/Film{part}_{number:09d}_00000005.png"
            if "aligned" in versions:
                face = framed(expression(person(portrait, number), emotion, 1.0), (143, 181), 1.1, grey=False)
                save(folder / split / aligned / name, noisy(face, number))
            if "original" in versions:
                write_photo(folder / split / name, portrait, number, emotion)
    save(folder / "Test/Test_Aligned_Faces/0001.png", framed(portrait, (143, 181), 1.1, grey=False))
    return folder


def write_expw(folder, portrait):
    """label.lst with two faces in the first photo, which shows the same scene twice side by side."""
    lines = []
    for number, emotion in enumerate((*SEVEN, *SEVEN[:3])):
        name = f"{emotion}_search_{number}.jpg"
        photo = expression(person(portrait, number), emotion, 1.0)
        wide = np.hstack([photo, photo]) if number == 0 else photo
        save(folder / "image/origin" / name, wide)
        for face in range(2 if number == 0 else 1):
            left, top, width, height = photo_row(number)
            left += face * photo.shape[1]
            box = f"{top} {left} {left + width} {top + height}"
            lines.append(f"{name} {face} {box} 22.9362 {SEVEN.index(emotion)}")
    write_text(folder / "label/label.lst", "\n".join(lines) + "\n")
    return folder


def write_fer2013plus(folder, rows):
    """fer2013.csv with fer2013new.csv beside it."""
    write_fer2013_csv(folder / "fer2013.csv", rows)
    write_ferplus_votes(folder / "fer2013new.csv", rows)
    return folder


def pack(folder, archive):
    """The folder's content as a .zip or a .tar.gz."""
    kind = {".zip": "zip", ".gz": "gztar", ".tar": "tar"}[archive.suffix]
    made = Path(shutil.make_archive(str(archive.parent / "packing"), kind, folder))
    return made.rename(archive)


def main():
    from skimage import data

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--people", type=int, default=20, help="in CK+, with two sequences each")
    arguments = parser.parse_args()
    portrait = np.array(data.astronaut()[:320])
    write_ckplus(arguments.folder / "CK+", portrait, subjects=arguments.people)
    write_jaffe(arguments.folder / "jaffe", portrait)


if __name__ == "__main__":
    main()
