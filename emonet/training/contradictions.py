"""Checks of a training's options that one field alone does not decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emonet.errors import OptionError
from emonet.heads import SEEN
from emonet.training.policies import find_policy

if TYPE_CHECKING:
    from emonet.training.config import TrainConfig


def check_together(config: TrainConfig) -> None:
    """Raise an OptionError if options contradict one another, or name what does not exist."""
    _check_augmentation(config)
    _check_choice(config)
    _check_folds(config)
    _check_balance(config)
    _check_seen(config)
    _check_loss(config)
    _check_teachers(config)
    if config.heads and not sum(config.heads.values()):
        raise OptionError("`heads` must have a weight above 0, at least one of them")
    if config.new_head and not config.init:
        raise OptionError("`new_head` belongs to `init`")
    if "classes" in config.arguments:
        raise OptionError("a network has the classes of its data: choose among them with `classes`, not in `arguments`")


def _check_augmentation(config: TrainConfig) -> None:
    for epoch, policy in config.augment_from.items():
        if not epoch.isdecimal():
            raise OptionError(f"`augment_from` must be of the form epoch=policy, got {epoch}={policy}")
    for share, size in config.size_from.items():
        if not _is_share(share):
            raise OptionError(f"`size_from` must be share=pixels, the share from 0 to 1, got {share}={size}")
    for policy in (config.augment, *config.augment_from.values()):
        find_policy(policy)


def _is_share(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False


def _check_choice(config: TrainConfig) -> None:
    chosen = config.schedule == "plateau" or config.stop_after or config.orders > 1 or config.fold >= 0
    if config.all_train and chosen:
        raise OptionError("`all_train` leaves nothing to choose on: no plateau, `stop_after`, `orders` or `fold`")
    if config.members > 1 and config.orders > 1:
        raise OptionError("`members` are averaged and `orders` chosen from: ask for one of the two")
    if config.average_last and config.keep == "best" and not config.all_train:
        raise OptionError("`average_last` is complete after the last epoch: ask for `keep` last")
    if config.average_last and (config.ema or config.stop_after):
        raise OptionError("`average_last` replaces `ema`, and needs to know the last epochs: no `ema` or `stop_after`")


def _check_folds(config: TrainConfig) -> None:
    if config.out_of_fold and (config.members > 1 or config.orders > 1):
        raise OptionError("`out_of_fold` trains a network for each fold: ask for no `members` or `orders` with it")
    if config.fold >= 0 and (config.out_of_fold or config.leave_out >= 0):
        raise OptionError("`out_of_fold` and `leave_out` choose on the split dev: ask for no `fold` with them")
    if config.out_of_fold and config.leave_out >= 0:
        raise OptionError("`out_of_fold` leaves out each fold in its turn: ask for no `leave_out` with it")


def _check_balance(config: TrainConfig) -> None:
    own = {"weights": config.class_weights, "oversample": config.oversample}
    if own.get(config.balance):
        raise OptionError(f"`balance` {config.balance} chooses the numbers itself: leave out your own")
    if config.balance_sources and config.source_weights:
        raise OptionError("`balance_sources` chooses the weights of the sources itself: leave out `source_weights`")


def _check_seen(config: TrainConfig) -> None:
    if {*config.heads} == {SEEN} and (config.balance == "weights" or config.class_weights or config.votes_share):
        raise OptionError(
            f"`balance` weights, `class_weights` and `votes_share` change how labels are learned, and the only head is "
            f"{SEEN!r}: leave them out, or add a head of labels"
        )


def _check_loss(config: TrainConfig) -> None:
    if config.loss != "hinge":
        return
    if config.smoothing:
        raise OptionError("`smoothing` belongs to the softmax loss")
    if config.teacher or config.teacher_labels or config.votes_share:
        raise OptionError("`teacher`, `teacher_labels` and `votes_share` belong to the softmax loss")
    if SEEN in config.heads or any(weight != 1 for weight in config.heads.values()):
        raise OptionError("the hinge loss takes one head of labels, with weight 1: change `heads` or `loss`")
    if len(config.heads) > 1 or config.balance == "logits":
        raise OptionError("several `heads` and `balance` logits belong to the softmax loss")


def _check_teachers(config: TrainConfig) -> None:
    if config.teacher_views and not config.teacher:
        raise OptionError("`teacher_views` belongs to `teacher`")
    if config.teacher_views and config.augment_from:
        raise OptionError("`teacher_views` shows the same views in all epochs: leave out `augment_from`")
    if config.teacher_views and config.repeats > 1:
        raise OptionError("`teacher_views` shows one view of an image in an epoch: leave out `repeats`")
