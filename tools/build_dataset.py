"""Merge data sets as they were downloaded into one: the command `emonet build` from a checkout.

python tools/build_dataset.py --fer2013 fer2013.csv --ckplus CK+/ --jaffe jaffe/ -o merged
"""

from emonet.commands import run
from emonet.commands.build import build

if __name__ == "__main__":
    run(build)
