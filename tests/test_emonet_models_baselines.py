"""Nearest neighbours, and other libraries' networks."""

from urllib.error import URLError

import pytest
import torch
import torchvision
from sklearn.neighbors import KNeighborsClassifier

from emonet.models import create_meta_model, create_model


def memorised(labels, **arguments):
    torch.manual_seed(0)
    examples = torch.rand(len(labels), 1, 48, 48)
    network = create_model("knn", **arguments)
    network.memorise(examples, torch.tensor(labels))
    return network, examples


def test_knn_answers_as_scikit_learn():
    labels = [0, 1, 1, 3, 3, 3, 0, 5]
    network, examples = memorised(labels, neighbours=3, classes=6)
    x = torch.rand(4, 1, 48, 48)
    expected = KNeighborsClassifier(3).fit(examples.flatten(1), labels).predict_proba(x.flatten(1))
    assert torch.allclose(network(x).softmax(1)[:, [0, 1, 3, 5]].double(), torch.from_numpy(expected), atol=1e-4)
    assert network(x)[:, [2, 4]].exp().max() < 1e-5


def test_knn_answers_memorised_images():
    network, examples = memorised([4, 2, 0], neighbours=1)
    assert network(examples).argmax(1).tolist() == [4, 2, 0]


def test_knn_is_stored_with_its_images():
    network, examples = memorised([4, 2, 0], neighbours=1)
    other = create_model("knn", neighbours=1, examples=3)
    other.load_state_dict(network.state_dict())
    assert torch.equal(other(examples), network(examples))


def test_knn_needs_as_many_images_as_neighbours():
    network, examples = memorised([1, 2])
    with pytest.raises(ValueError, match="5 neighbours of 2 images"):
        network(examples)


@pytest.mark.parametrize(("labels", "match"), [([0, 7], "0 to 6, got 7"), ([0, 1, 2], "3 labels need images")])
def test_knn_refuses_labels_that_do_not_fit(labels, match):
    with pytest.raises(ValueError, match=match):
        create_model("knn").memorise(torch.rand(2, 1, 48, 48), torch.tensor(labels))


@pytest.fixture
def torch_home(tmp_path, monkeypatch):
    """An empty place for downloads, and no network."""

    def refuse(*_arguments, **_options):
        raise URLError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", refuse)
    monkeypatch.setattr("facenet_pytorch.models.utils.download.urlopen", refuse)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "pretrained"),
    [("torchvision:squeezenet1_1", True), ("facenet", "vggface2")],
    ids=["torchvision", "facenet"],
)
def test_a_failed_download_names_the_folder(torch_home, name, pretrained):
    with pytest.raises(OSError, match=r"weights of .* could not be downloaded.*no route to host") as error:
        create_model(name, pretrained=pretrained)
    assert str(torch_home) in str(error.value)


def test_nothing_is_downloaded_for_a_meta_model(torch_home):
    create_meta_model("torchvision:squeezenet1_1", pretrained=True)
    create_meta_model("facenet", pretrained="vggface2")
    assert not list(torch_home.rglob("*.p*"))


@pytest.mark.parametrize("architecture", ["squeezenet1_1", "mobilenet_v3_small"])
def test_all_but_the_head_comes_from_torchvision(torch_home, architecture):
    weights = torchvision.models.get_model_weights(architecture).DEFAULT
    trained = torchvision.models.get_model(architecture).state_dict()
    file = torch_home / "hub" / "checkpoints" / weights.url.rpartition("/")[2]
    file.parent.mkdir(parents=True)
    torch.save(trained, file)

    network = create_model(f"torchvision:{architecture}", classes=6, pretrained=True).network

    differing = [name for name, value in network.state_dict().items() if not torch.equal(value, trained[name])]
    assert len(differing) == 2
    assert {len(network.state_dict()[name]) for name in differing} == {6}


def test_regnets_can_be_meta_models():
    assert next(create_meta_model("torchvision:regnet_y_400mf").parameters()).device.type == "meta"


@pytest.mark.parametrize("architecture", ["alexnet", "densenet121", "mobilenet_v2", "swin_t", "vgg16"])
def test_torchvisions_networks_take_their_images(architecture):
    network = create_meta_model(f"torchvision:{architecture}", classes=6)
    assert network(torch.empty(2, 3, 96, 96, device="meta")).shape == (2, 6)
