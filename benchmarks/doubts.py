"""Are the labels that `emonet review` doubts wrong? Asked of FER+, where ten people looked at each image of FER2013.

    python benchmarks/doubts.py STORE [--model emonet_fast] [--split validation]

STORE is FER2013, built with --ferplus. All its faces are ranked by the model; counted are those of the split, which by
default neither bundled model learned from, where one expression has the most votes. Printed is, for the most doubtful
faces, how often this is another than the label, and how often it is the one that the review suggests.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from emonet.datasets import open_store
from emonet.datasets.ferplus import VOTES, find_majorities
from emonet.inference import load_model
from emonet.review.doubts import judge_labels
from emonet.review.faces import list_faces
from emonet.review.opinions import ask_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("--model", default="emonet_fast")
    parser.add_argument("--split", default="validation")
    arguments = parser.parse_args()
    store = open_store(arguments.store)
    faces = list_faces(store)
    quality = judge_labels(faces, ask_model(load_model(arguments.model), store, faces, name=arguments.model))
    places = find_majorities(np.array([one or [0] * len(VOTES) for one in faces.votes]))
    majority = np.array([str(VOTES[place]) for place in places])
    labels, suggested = (
        np.array([str(faces.classes[place]) for place in of]) for of in (faces.labels, quality.suggested)
    )
    voted = (places >= 0) & (np.array(faces.splits) == arguments.split)
    order = [place for place in quality.rank().tolist() if voted[place]]
    doubtful = int(quality.doubtful[order].sum())
    print(
        f"{len(order):,} faces of {arguments.split} with a majority, {doubtful:,} of them doubtful by {arguments.model}"
    )
    print(f"{'most doubtful':>14} {'votes differ':>13} {'votes as suggested':>19}")
    for count in (50, 200, doubtful, len(order)):
        first = order[:count]
        differ, agree = (majority[first] != labels[first]).mean(), (majority[first] == suggested[first]).mean()
        print(f"{count:>14,} {differ:>13.1%} {agree:>19.1%}")


if __name__ == "__main__":
    main()
