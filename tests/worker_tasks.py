"""Tasks for worker processes, which import them by this name."""

import os

from emonet.datasets.builder.workers import own_device


def square(number):
    return number * number, os.getpid()


def fail(_number):
    raise KeyError("this one")


def tell_device(_number):
    return own_device()


def divide(number):
    yield number % 3, number
