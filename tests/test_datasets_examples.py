"""The examples in the docstrings of emonet.datasets run as they are written."""

import doctest
import importlib

import pytest

MODULES = ["sample", "reader", "fer2013", "ckplus", "jaffe", "folder", "store.store"]


@pytest.mark.parametrize("name", ["emonet.datasets", "emonet.atomic", *(f"emonet.datasets.{name}" for name in MODULES)])
def test_docstring_examples_run(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
