"""`python -m emonet` is the `emonet` command."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

STOPPED = 130  # by Ctrl-C, as shells have it
SAID = "emonet: stopped\n"


def main() -> None:
    """Run the console command `emonet`; Ctrl-C ends it with one line, also while it is still being imported."""
    signal.signal(signal.SIGINT, _interrupt)
    try:
        from emonet.commands import main as run_command

        run_command()
    except KeyboardInterrupt:
        sys.stderr.write(SAID)
        raise SystemExit(STOPPED) from None


def _interrupt(_: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, but end at once where a module is imported: C++ code that imports would abort."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            os.write(sys.stderr.fileno(), SAID.encode())
            os._exit(STOPPED)
        frame = frame.f_back
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
