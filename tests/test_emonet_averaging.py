"""Several models as one: the mean of their answers, or of their weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from two_heads import one_head, two_heads
from typer.testing import CliRunner

from emonet.commands import app
from emonet.errors import OptionError
from emonet.evaluation.remarks import list_learned_sources
from emonet.heads import Head
from emonet.inference.averaging import average_answers, average_weights
from emonet.inference.checkpoint import load_checkpoint
from emonet.models import create_model

PARTS = {"fer2013": slice(0, 7), "seen": slice(7, 15)}


def run(*arguments):
    return CliRunner().invoke(app, [str(one) for one in arguments])


def answer(model, part):
    """Probabilities of a head for noise, from the network itself."""
    return answer_at(model, part, 1)


def answer_at(model, part, temperature):
    noise = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 1, 48, 48)).astype(np.float32))
    with torch.no_grad():
        return model.network()(noise)[:, part].div(temperature).softmax(1).numpy()


@pytest.fixture(scope="module")
def plain():
    """A trained model of another network, with the same heads."""
    like = two_heads()
    torch.manual_seed(0)
    network = create_model("plain_cnn", classes=15)
    return replace(like, model="plain_cnn", arguments={}, weights=network.state_dict())


@pytest.mark.parametrize("head", PARTS)
def test_models_of_any_networks_answer_together(plain, tmp_path, head):
    models = [two_heads(), two_heads(seed=2), plain]
    average_answers(models).save(tmp_path / "all.safetensors")
    together = answer(load_checkpoint(tmp_path / "all.safetensors"), PARTS[head])
    mean = np.mean([answer(one, PARTS[head]) for one in models], axis=0)
    np.testing.assert_allclose(together, mean, atol=1e-5)


def test_each_model_is_as_sure_as_its_temperatures_let_it_be():
    one, other = two_heads(), two_heads(seed=2)
    sure, doubtful = one.heads[0], replace(other.heads[0], temperature=50.0)
    made = average_answers([one, replace(other, heads=(doubtful, other.heads[1]))])
    expected = (answer(one, PARTS["fer2013"]) + answer_at(other, PARTS["fer2013"], 50)) / 2
    assert sure.temperature == 1
    np.testing.assert_allclose(answer(made, PARTS["fer2013"]), expected, atol=1e-5)


def test_files_that_only_count_their_members_are_still_read(tmp_path):
    """`emonet train --members` wrote them so."""
    models = [two_heads(), two_heads(seed=2)]
    made, first = average_answers(models), models[0]
    counted = {"model": first.model, "members": 2, "arguments": dict(first.arguments), "heads": [7, 8]}
    replace(made, arguments=counted).save(tmp_path / "old.safetensors")
    old = load_checkpoint(tmp_path / "old.safetensors")
    assert old.arguments == counted
    assert (answer(old, PARTS["seen"]) == answer(made, PARTS["seen"])).all()


def test_averages_can_be_averaged(plain):
    inner = average_answers([two_heads(), plain])
    whole = average_answers([inner, two_heads(seed=2)])
    parts = [answer(one, PARTS["seen"]) for one in (inner, two_heads(seed=2))]
    np.testing.assert_allclose(answer(whole, PARTS["seen"]), np.mean(parts, axis=0), atol=1e-5)


def test_mean_weights_are_those_of_one_network():
    one, other = two_heads(), two_heads(seed=2)
    made = average_weights([one, other])
    assert (made.model, made.arguments) == (one.model, one.arguments)
    for name, weights in made.weights.items():
        np.testing.assert_allclose(weights, (one.weights[name] + other.weights[name]) / 2, atol=1e-6)


def test_what_was_measured_of_each_is_not_said_of_the_mean():
    first = two_heads()
    one = replace(first, heads=tuple(replace(head, temperature=1.5) for head in first.heads), scores={"dev": {"n": 1}})
    made = average_answers([one, one])
    assert [head.temperature for head in made.heads] == [1, 1]
    assert not made.scores
    assert not made.coverage


def test_shares_of_classes_are_averaged_too():
    first = two_heads()
    even = replace(
        first, heads=tuple(replace(head, prior=(1 / len(head.classes),) * len(head.classes)) for head in first.heads)
    )
    other = replace(
        first, heads=tuple(replace(head, prior=tuple(np.eye(len(head.classes))[0])) for head in first.heads)
    )
    made, turned = average_answers([even, other]), average_answers([other, even])
    assert [head.prior for head in made.heads] == [head.prior for head in turned.heads]
    assert made.heads[0].prior[0] == pytest.approx((1 + 1 / len(made.heads[0].classes)) / 2)
    without = replace(first, heads=tuple(replace(head, prior=()) for head in first.heads))
    assert average_answers([even, without]).heads[0].prior == ()


def test_the_mean_has_learned_what_any_of_them_has():
    config = {"init": "", "all_train": False, "keep": "best", "fold": -1}
    training = {"config": config, "sources": {"jaffe": 5}, "identity": {"data": "a"}, "seconds": 2, "pictures": 5}
    other = {**training, "config": {**config, "all_train": True}, "sources": {"fer2013": 7}, "identity": {"data": "b"}}
    made = average_answers([replace(two_heads(), training=training), replace(two_heads(), training=other)])
    assert set(list_learned_sources(made)) == {"jaffe", "fer2013"}
    assert made.training["config"]["all_train"]
    assert made.training["identity"]["data"] is None
    assert made.training["seconds"] == 4
    unknown = average_answers([replace(two_heads(), training=training), replace(two_heads(), training={})])
    assert list_learned_sources(unknown) is None


def test_the_mean_names_all_teachers_and_what_any_was_chosen_on():
    config = {"init": "a", "all_train": False, "keep": "best", "fold": 2, "teacher": ["b"], "teacher_labels": ["c"]}
    training = {"config": config, "sources": {"jaffe": 5}, "identity": {"data": "a"}, "adapted": {"data": ["own"]}}
    others = {"init": "d,a", "fold": -1, "teacher": ["e"], "teacher_labels": ["f.parquet", "c"]}
    other = {**training, "config": {**config, **others}, "adapted": {"data": ["theirs"]}}
    made = average_answers([replace(two_heads(), training=one) for one in (training, other)]).training
    assert {name: made["config"][name] for name in others} == {
        "init": "a,d",
        "fold": -1,
        "teacher": ["b", "e"],
        "teacher_labels": ["c", "f.parquet"],
    }
    assert made["adapted"]["data"] == ["own", "theirs"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (lambda: one_head(), "they have other heads"),
        (
            lambda: two_heads(heads=(two_heads().heads[0], Head("seen", two_heads().classes))),
            "they answer other classes",
        ),
        (lambda: replace(two_heads(), input=replace(two_heads().input, size=40)), "do not see images alike"),
    ],
)
def test_models_that_cannot_stand_for_each_other_are_refused(changed, message):
    for average in (average_answers, average_weights):
        with pytest.raises(OptionError, match=message):
            average([two_heads(), changed()])


def test_weights_of_different_networks_have_no_mean(plain):
    with pytest.raises(OptionError, match="they are of different networks"):
        average_weights([two_heads(), plain])
    with pytest.raises(OptionError, match="nothing to average"):
        average_weights([])


def test_members_of_a_damaged_file_are_refused():
    cold = {"model": "emonet_fast", "arguments": {}, "temperatures": [0]}
    for members in ([], [{"model": "emonet_fast"}], [cold], "emonet_fast"):
        with pytest.raises(OptionError, match="members must be a number, or a model, arguments and temperatures"):
            create_model("averaged", members=members)


def test_the_command_writes_a_model_like_any_other(tmp_path):
    out = tmp_path / "both.safetensors"
    result = run("average", "emonet", "emonet_fast", "-o", out)
    assert result.exit_code == 0, result.output
    assert f"emonet models {out} --fit-temperature STORE" in result.stdout
    made = load_checkpoint(out)
    assert [head.name for head in made.heads] == ["fer2013", "seen"]
    assert out.stat().st_size < 10_000_000  # kernels in 16 bits
    assert "averaged" in run("models", out).stdout


def test_the_command_refuses_what_has_no_mean(tmp_path):
    one = run("average", "emonet", "-o", tmp_path / "one.safetensors")
    assert "give two models or more" in str(one.exception)
    weights = run("average", "emonet", "emonet_fast", "--weights", "-o", tmp_path / "mean.safetensors")
    assert "different networks" in str(weights.exception)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("both", "must be a file that ends in .safetensors"),
        ("folder.safetensors", "is a folder"),
        ("taken.safetensors", "exists: give another --out, or --overwrite"),
    ],
)
def test_the_command_writes_over_nothing_and_only_what_can_be_opened(tmp_path, name, words):
    (tmp_path / "folder.safetensors").mkdir()
    (tmp_path / "taken.safetensors").write_bytes(b"mine")
    assert words in str(run("average", "emonet", "emonet_fast", "-o", tmp_path / name).exception)
    assert (tmp_path / "taken.safetensors").read_bytes() == b"mine"
    assert not (tmp_path / "both").exists()


def test_the_command_writes_over_a_file_if_it_is_told_to(tmp_path):
    out = tmp_path / "both.safetensors"
    out.write_bytes(b"old")
    assert run("average", "emonet", "emonet_fast", "-o", out, "--overwrite").exit_code == 0
    assert load_checkpoint(out).model == "averaged"
