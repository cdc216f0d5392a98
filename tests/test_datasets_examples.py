"""The examples in the docstrings of emonet.datasets run as they are written."""

import doctest
import importlib

import pytest

from emonet.datasets import READERS

MODULES = ["sample", "reader", "store.store"]


NAMES = ["emonet.datasets", "emonet.atomic", *(f"emonet.datasets.{name}" for name in MODULES)]


@pytest.mark.parametrize("name", [*NAMES, *(reader.__module__ for reader in READERS.values())])
def test_docstring_examples_run(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
