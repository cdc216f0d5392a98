"""The examples in the docstrings of facecrop and of what emonet offers for prediction."""

import doctest
import inspect

import pytest

import emonet
import facecrop

PREDICTION = ("EmotionPredictor", "PhotoResult", "Prediction", "draw", "predict", "predict_many", "to_table")
TYPES_AND_ERRORS = (
    "DETECTORS",
    "EmonetError",
    "Image",
    "MissingFileError",
    "MissingPackageError",
    "OptionError",
    "Source",
)
PUBLIC = [
    *((facecrop, name) for name in facecrop.__all__ if name not in TYPES_AND_ERRORS),
    *((emonet, name) for name in PREDICTION),
]


@pytest.mark.parametrize(("package", "name"), PUBLIC, ids=lambda one: getattr(one, "__name__", one))
def test_the_example_of_a_public_name_runs(package, name):
    documented = getattr(package, name)
    first, *_ = inspect.getdoc(documented).splitlines()
    assert len(first) <= 80
    (example, *_) = doctest.DocTestFinder(recurse=False).find(documented, name, globs={})
    assert example.examples
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=pytest.fail).failed == 0


@pytest.mark.parametrize("name", ["PICTURE_SUFFIXES", "is_picture", "jpeg"])
def test_the_old_names_of_images_still_work_and_warn(name):
    with pytest.warns(DeprecationWarning, match=f"{name} is now"):
        assert getattr(facecrop.images, name)
    with pytest.raises(AttributeError, match="has no attribute 'png'"):
        facecrop.images.png  # noqa: B018


@pytest.mark.parametrize("name", ["FolderRun", "FolderScore", "Found", "Photo", "folder_labels", "score_folder"])
def test_the_old_names_of_albums_still_work_and_warn(name):
    import emonet.album

    with pytest.warns(DeprecationWarning, match=f"{name} is now"):
        assert getattr(emonet.album, name)
    with pytest.raises(AttributeError, match="has no attribute 'prophecy'"):
        emonet.album.prophecy  # noqa: B018
