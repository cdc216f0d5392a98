"""A running `emonet app` for tests, in a process of its own, which notes every address that it connects to."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

NOTING = """
import os, socket
real = socket.socket.connect
with open(os.environ["EMONET_TEST_NOTES"], "a") as notes:
    print("127.0.0.1 is watched", file=notes)
def connect(self, address):
    with open(os.environ["EMONET_TEST_NOTES"], "a") as notes:
        print(address, file=notes)
    return real(self, address)
socket.socket.connect = connect
"""


@dataclass
class RunningApp:
    address: str
    process: subprocess.Popen
    temporary: Path  # where it may keep files
    notes: Path

    def ask(self, path, body=None, headers=(), method=None):
        """Send a request; return its status and its body."""
        request = urllib.request.Request(self.address + path, body, dict(headers), method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def ask_json(self, path, body=None, headers=()):
        status, text = self.ask(path, body, headers)
        return status, json.loads(text)

    def uploads(self):
        """The files with anything in them that the app keeps now."""
        return [path for path in self.temporary.rglob("*") if path.is_file() and path.stat().st_size]

    def megabytes(self):
        """The memory that the app has now."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def connected_to(self):
        return self.notes.read_text().splitlines()


@contextmanager
def run_app(folder, *options):
    """Run `emonet app` until the block ends; `folder` is for what it keeps."""
    for module in ("gradio", "uvicorn"):
        pytest.importorskip(module, reason="emonet[app] is not installed")
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(NOTING)
    temporary = folder / "temporary"
    temporary.mkdir()
    paths = [str(folder / "site"), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "TMPDIR": str(temporary),
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "EMONET_TEST_NOTES": str(folder / "notes"),
        "OMP_NUM_THREADS": "1",
    }
    environment.pop("ORT_DISABLE_TELEMETRY", None)  # set by the tests' own process
    command = [sys.executable, "-m", "emonet", "app", "--port", "0", "--no-browser", *options]
    with (folder / "errors").open("w") as errors:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        address = process.stdout.readline().strip()
        assert address.startswith("http://"), (folder / "errors").read_text()
        yield RunningApp(address.rstrip("/"), process, temporary, folder / "notes")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        process.stdout.close()
