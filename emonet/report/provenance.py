"""How a model came to be, in words, and what part the images that are scored had in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from emonet.datasets.store.leaks import LEARNED
from emonet.evaluation.parts import ALL_SPLITS
from emonet.evaluation.remarks import count_known, learned_validation, list_learned_sources, was_taught_dev
from emonet.inference.model_file import ADAPTED, LEARNED_DEV

if TYPE_CHECKING:
    from emonet.evaluation import Evaluation

Training = Mapping[str, Any]  # of a checkpoint; models from elsewhere have none


def learned_from(training: Training) -> str:
    """Say how many images of which data sets a model learned from."""
    if "pictures" not in training:
        return "not recorded"
    sources = ", ".join(f"{name} {count:,}" for name, count in training["sources"].items())
    learned = f"{training['pictures']:,} images: {sources}"
    starts = training["config"]["init"].split(",")
    if starts == [""]:
        return learned
    return f"{learned}; it began with the {'mean ' if len(starts) > 1 else ''}weights of {', '.join(starts)}"


def chosen(training: Training) -> str:
    """Say what was chosen, by what, on what."""
    config = training.get("config")
    if config is None:
        return "not recorded"
    if config["all_train"]:
        return "nothing: it learned from train and dev at a fixed schedule"
    choices = [*_choices(training)]
    place = f"fold {config['fold']} of train" if config["fold"] >= 0 else "dev"
    known = place == "dev" and _began_with_dev(training, training.get("sources", ()))
    if not choices:
        return f"nothing: it learned at a fixed schedule, and {place} was only looked at"
    remark = ", from which the weights that it began with had learned" if known else ""
    return f"{', '.join(choices)}, by {config['choose_by'].replace('_', ' ')} on {place}{remark}"


def _choices(training: Training) -> Iterator[str]:
    config = training["config"]
    epochs = training.get("epochs", config["epochs"])  # of an average every member has its own
    if config["keep"] == "best" and epochs > 1:
        yield f"epoch {training['chosen_epoch']} of {epochs}" if "chosen_epoch" in training else "each member's epoch"
    if config["schedule"] == "plateau":
        yield "when the learning rate fell"
    if config["stop_after"]:
        yield "when to stop"
    if config["orders"] > 1:
        yield f"one of {config['orders']} data orders"


def part_of_split(evaluation: Evaluation) -> str:
    """What the split has to do with the model: learned from, chosen on, or neither."""
    training, split = evaluation.checkpoint.training, evaluation.split
    if training.get("config") is None:
        return "how the model came to be is not recorded: whether it knows these images is not known"
    if split in LEARNED and evaluation.store.identity in training.get(ADAPTED, {}).get("data", ()):
        return "a head of the model learned from it: this is no test"
    if (learned := list_learned_sources(evaluation.checkpoint)) and not set(learned) & set(evaluation.faces.sources):
        return f"the model learned from {', '.join(learned)} alone, and none of these images is from there"
    if learned_validation(evaluation):
        return "the model learned from images that are published as validation: this is no test"
    if training["identity"]["data"] != evaluation.store.identity:
        return "the model was made on another data set, which may share images with this one"
    if known := count_known(evaluation) if split == ALL_SPLITS else 0:
        return f"{known:,} of its images are of train or dev, which the model learned from or was chosen on: no test"
    return _part_of_own(evaluation)


def _part_of_own(evaluation: Evaluation) -> str:
    """What a split of the data set that the training was given has to do with the model."""
    training, split = evaluation.checkpoint.training, evaluation.split
    config = training["config"]
    if split == "train" or (split == "dev" and config["all_train"]):
        return "the model learned from it: this is no test"
    if split == "dev" and _began_with_dev(training, evaluation.faces.sources.tolist()):
        return "the weights that the model began with learned from it: this is no test"
    if split == "dev" and config["fold"] < 0 and [*_choices(training)]:
        return "the model was chosen on it: this is no test, and elsewhere less is to be expected"
    if config["init"]:
        return (
            "this training neither learned from it nor chose on it; whether the model that it began with did is not "
            "recorded"
        )
    taught = ", but a teacher of the model learned from it" if was_taught_dev(evaluation) else ""
    return f"the training neither learned from it nor chose anything on it{taught}"


def _began_with_dev(training: Training, sources: Iterable[str]) -> bool:
    """Tell whether the weights that a model began with learned from dev of any of these data sets."""
    return not set(training.get(LEARNED_DEV, ())).isdisjoint(sources)
