"""Tabs of Chromium for tests of pages: what they complain of, and what they ask for."""

import shutil
import time
from contextlib import contextmanager

import cv2
import numpy as np
import pytest

PHONE_WH, DESK_WH = (390, 844), (1280, 900)


@contextmanager
def launch_chromium(*switches):
    """Start Chromium, with some more switches, or skip the test where it cannot be started."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium on this machine")
    with (
        playwright.sync_playwright() as session,
        session.chromium.launch(executable_path=chromium, args=["--no-sandbox", *switches]) as started,
    ):
        yield started


@contextmanager
def launch_with_camera(portrait, folder):
    """Start Chromium with a camera that shows the portrait, a little further to the right in each frame."""
    video = folder / "camera.mjpeg"
    frames = [np.roll(cv2.resize(portrait, (640, 400)), step, axis=1) for step in range(0, 60, 6)]
    video.write_bytes(b"".join(cv2.imencode(".jpg", frame[..., ::-1])[1].tobytes() for frame in frames))
    switches = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    with launch_chromium(*switches, f"--use-file-for-fake-video-capture={video}") as started:
        yield started


def wait_until(tab, expression, seconds=30):
    """Wait until an expression holds in a page. Playwright's own way needs `eval`, which our pages forbid."""
    ends = time.monotonic() + seconds
    while not tab.evaluate(expression):
        assert time.monotonic() < ends, f"{expression} does not hold after {seconds} seconds"
        tab.wait_for_timeout(20)


class Tabs:
    """Open tabs. In the end nothing may have been complained of, or asked for at another address than the allowed.

    Attributes:
        browser: What `launch_chromium` started.
        complaints: Messages of the console, errors and dialogs so far.
        requests: Addresses that were asked for so far.
    """

    def __init__(self, browser):
        self.browser = browser
        self.complaints, self.requests = [], []
        self._contexts = []

    def open(self, address, size_wh=DESK_WH, context=None, **options):
        """Open an address, in a context of its own unless one is given."""
        if context is None:
            size = dict(zip(("width", "height"), size_wh, strict=True))
            self._contexts.append(context := self.browser.new_context(viewport=size, **options))
        tab = context.new_page()
        tab.on("console", lambda message: self.complaints.append(message.text))
        tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        tab.on("dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.dismiss()))
        tab.on("request", lambda request: self.requests.append(request.url))
        tab.goto(address)
        return tab

    def close(self, *allowed):
        """Close the contexts, and check what was seen; `allowed` are beginnings of addresses."""
        for context in self._contexts:
            context.close()
        assert not self.complaints, self.complaints
        assert [url for url in self.requests if not url.startswith(allowed)] == []
