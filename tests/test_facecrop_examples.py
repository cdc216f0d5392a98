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
