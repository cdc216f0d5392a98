import os
from itertools import product

import pytest

from facecrop.naming import LONGEST, name_copy


@pytest.mark.parametrize(
    ("name", "copy"),
    [
        ("a.jpg", "a.jpg.jpg"),
        ("summer/a.png", "summer/a.png.jpg"),
        ("a.jpg.jpg/b.jpg", "a.jpg.jpg_/b.jpg.jpg"),
        ("A.JPG/b.jpg", "A.JPG_/b.jpg.jpg"),
        ("a.jpg_/b.jpg", "a.jpg__/b.jpg.jpg"),
        ("a.png/b.jpg", "a.png_/b.jpg.jpg"),
    ],
)
def test_a_copy_has_the_name_of_its_photo(name, copy):
    assert name_copy(name, ".jpg").as_posix() == copy


def test_no_two_copies_have_one_name_and_none_is_the_folder_of_another():
    parts = ["a", "a.jpg", "a.jpg.jpg", "a.jpg_", "a.jpg.jpg_", "a.png", "a-0.png", "a-0.png_", "x" * 251, "x" * 255]
    parts += [name_copy("x" * 255, ".jpg").name.removesuffix(".jpg")]  # as if it had been cut off before
    names = [*parts, *(f"{folder}/{last}" for folder, last in product(parts, parts))]
    copies = [name_copy(name, ending) for name in names for ending in (".jpg", "-0.png", "-1.png")]
    assert len(set(copies)) == len(copies)
    assert not set(copies) & {folder for copy in copies for folder in copy.parents}


@pytest.mark.parametrize("name", ["\N{CJK UNIFIED IDEOGRAPH-4E00}" * 85, "x" * 254 + "\udcff", "y" * 251 + ".jpg"])
def test_names_as_long_as_the_system_allows_have_copies(name):
    assert len(os.fsencode(name)) == LONGEST
    copy = name_copy(f"{'z' * 251}.jpg/{name}", "-10.png")
    assert all(len(os.fsencode(part)) <= LONGEST for part in copy.parts)
    assert copy.name.startswith(name[:70])
