"""Models as folders in the layout of the Hugging Face Hub, and models from the Hub itself."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import numpy as np
import pytest
import yaml
from two_heads import two_heads
from typer.testing import CliRunner

import emonet
from emonet.commands import app
from emonet.errors import CheckpointError, MissingFileError, OptionError
from emonet.inference.loading import FOLDER


def read_front_matter(folder):
    _, facts, card = (folder / "README.md").read_text().split("---\n", 2)
    return yaml.safe_load(facts), card


def test_a_shared_model_is_the_same_model(tmp_path):
    model = emonet.load_model("emonet_fast")
    folder = model.save_pretrained(tmp_path / "faces")
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    assert (folder / "model.safetensors").read_bytes() == (FOLDER / "emonet_fast.safetensors").read_bytes()
    for name in (folder, str(folder), folder / "model.safetensors"):
        assert emonet.from_pretrained(name).identity == model.identity
    assert emonet.from_pretrained("emonet_fast").identity == model.identity


def test_a_model_that_is_in_no_file_is_shared_too(tmp_path):
    model = two_heads()
    opened = emonet.from_pretrained(model.save_pretrained(tmp_path))
    assert opened.identity == model.identity
    assert all(np.array_equal(opened.weights[name], array) for name, array in model.weights.items())


def test_the_description_is_what_other_libraries_look_for(tmp_path):
    model = two_heads()
    told = json.loads((model.save_pretrained(tmp_path) / "config.json").read_text())
    assert (told["library_name"], told["architectures"]) == ("emonet", ["emonet_fast"])
    assert told["id2label"] == {str(place): str(name) for place, name in enumerate(model.heads[0].classes)}
    assert [head["name"] for head in told["heads"]] == ["fer2013", "seen"]
    assert told["crop"] == model.crop.to_dict()


@pytest.mark.parametrize("name", ["emonet", "emonet_fast"])
def test_the_card_begins_with_facts_for_the_hub(tmp_path, name):
    facts, card = read_front_matter(emonet.load_model(name).save_pretrained(tmp_path))
    assert facts["pipeline_tag"] == "image-classification"
    (entry,) = facts["model-index"]
    found = {
        (one["dataset"]["split"], one["metrics"][0]["name"]): one["metrics"][0]["value"] for one in entry["results"]
    }
    stored = emonet.load_model(name).scores
    assert found["validation", "accuracy, view mirror"] == round(stored["validation"]["mirror"]["all"]["accuracy"], 4)
    own = {"dev"} & set(stored)  # emonet learned from dev: what its twin has there is no figure of its own
    assert all(found[split, "accuracy, as they are"] == round(stored[split]["accuracy"], 4) for split in own)
    assert {split for split, _ in found} == {"validation", *own}
    assert card.strip() == (FOLDER / f"{name}.md").read_text().strip()


def test_other_models_have_a_short_card_or_the_given_one(tmp_path):
    _, card = read_front_matter(two_heads(training={"sources": {"fer2013": 12}}).save_pretrained(tmp_path))
    assert "fer2013: 12 images." in card
    assert "- `seen`: angry," in card
    assert "Not for judging people" in card
    _, card = read_front_matter(two_heads().save_pretrained(tmp_path, card="# Mine\n"))
    assert card == "\n# Mine\n"


@pytest.mark.parametrize("name", ["config.json", "README.md", "model.safetensors"])
def test_files_of_something_else_are_kept(tmp_path, name):
    (tmp_path / name).write_text('{"library_name": "others"}')
    with pytest.raises(OptionError, match=f"{name} is of something else"):
        two_heads().save_pretrained(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_folder_of_a_run_is_shared_where_it_is(tmp_path):
    two_heads().save(tmp_path / "model.safetensors")
    emonet.load_model(tmp_path).save_pretrained(tmp_path)
    assert emonet.from_pretrained(tmp_path).identity == two_heads().identity
    assert (tmp_path / "config.json").exists()


def test_a_folder_is_shared_into_itself(tmp_path):
    folder = two_heads().save_pretrained(tmp_path)
    before = (folder / "model.safetensors").read_bytes()
    emonet.load_model(folder).save_pretrained(folder, card="# Another")
    assert (folder / "model.safetensors").read_bytes() == before
    assert "# Another" in (folder / "README.md").read_text()


def test_the_command_writes_the_folder_and_prediction_takes_it(tmp_path, face):
    from PIL import Image

    Image.fromarray(face).save(tmp_path / "a.png")
    (tmp_path / "card.md").write_text("# Mine")
    run = CliRunner()
    result = run.invoke(app, ["share", "emonet_fast", "-o", str(tmp_path / "out"), "--card", str(tmp_path / "card.md")])
    assert result.exit_code == 0
    assert f"hf upload OWNER/NAME {tmp_path / 'out'}" in result.stdout
    answer = run.invoke(app, ["predict", str(tmp_path / "a.png"), "--model", str(tmp_path / "out"), "--json"])
    assert len(json.loads(answer.stdout)["predictions"]) == 1
    wrong = run.invoke(app, ["share", "emonet_fast", "-o", str(tmp_path / "out"), "--card", str(tmp_path / "no.md")])
    assert isinstance(wrong.exception, MissingFileError)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"without model\.safetensors"):
        emonet.from_pretrained(tmp_path)
    with pytest.raises(MissingFileError, match="no such model file"):
        emonet.from_pretrained(tmp_path / "none.safetensors")


class Hub(BaseHTTPRequestHandler):
    """Stands in for the Hub: one repository with one file."""

    files: ClassVar = {
        "/somebody/faces/resolve/main/model.safetensors": (FOLDER / "emonet_fast.safetensors").read_bytes()
    }
    asked: ClassVar = []

    def do_HEAD(self):
        self.answer(with_body=False)

    def do_GET(self):
        self.answer(with_body=True)

    def answer(self, *, with_body):
        self.asked.append(self.path)
        content = self.files.get(self.path)
        if content is None:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", '"0123456789"')
        self.send_header("X-Repo-Commit", "c" * 40)
        self.end_headers()
        if with_body:
            self.wfile.write(content)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def on_the_hub(tmp_path):
    """Runs Python that knows the stand-in as the Hub."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = os.environ | {
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HOME": str(tmp_path / "hf"),
    }

    def run(code):
        command = [sys.executable, "-c", code]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    yield run
    server.shutdown()
    server.server_close()


def test_a_repository_is_fetched_once_and_nothing_else_is_asked_for(on_the_hub):
    Hub.asked.clear()
    code = "import emonet; print(emonet.from_pretrained('somebody/faces').identity, end='')"
    assert on_the_hub(code).stdout == emonet.load_model("emonet_fast").identity
    by_name = "import emonet; print(emonet.load_model('hf://somebody/faces').identity, end='')"
    assert on_the_hub(by_name).stdout == emonet.load_model("emonet_fast").identity
    assert set(Hub.asked) == set(Hub.files)
    assert len(Hub.asked) == 3  # head and content, then head alone


def test_a_repository_that_is_not_there_is_one_line(on_the_hub):
    code = "import sys, emonet.__main__; sys.argv = ['emonet', 'export', 'hf://somebody/else']; emonet.__main__.main()"
    result = on_the_hub(code)
    assert result.returncode == 1
    assert result.stderr.startswith("emonet: hf://somebody/else: its model.safetensors cannot be fetched")
    assert len(result.stderr.splitlines()) == 1
