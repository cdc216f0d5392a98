"""`python -m emonet` is the `emonet` command."""

from __future__ import annotations

import sys

STOPPED = 130  # by Ctrl-C, as shells have it


def main() -> None:
    """Run the console command `emonet`; Ctrl-C ends it with one line, also while it is still being imported."""
    try:
        from emonet.commands import main as run_command

        run_command()
    except KeyboardInterrupt:
        sys.stderr.write("emonet: stopped\n")
        raise SystemExit(STOPPED) from None


if __name__ == "__main__":
    main()
