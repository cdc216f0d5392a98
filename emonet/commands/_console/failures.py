"""How a command ends when it cannot do what was asked: in one line, or in a traceback if the fault is ours."""

from __future__ import annotations

import sys
import traceback

import typer

from emonet.commands._console.status import FAILED
from emonet.errors import EmonetError

DEBUG = "--debug"
PLEASE_REPORT = (
    "emonet: this is a bug. Please report it with the traceback above, the command and the output of `emonet info`."
)


def run_application(application: typer.Typer) -> None:
    """Run the command line.

    An `EmonetError`, and what the system refuses (no permission, no such file, a full disk), becomes one line on
    standard error. Anything else is a bug: its traceback is shown. `--debug`, anywhere, shows the traceback of both.
    """
    arguments = [argument for argument in sys.argv[1:] if argument != DEBUG]
    try:
        application(args=arguments)
    except (EmonetError, OSError) as error:
        if DEBUG in sys.argv:
            traceback.print_exc()
        typer.echo(f"emonet: {error}", err=True)
        raise SystemExit(FAILED) from error
    except Exception as error:  # nothing is hidden: this is where tracebacks are shown
        traceback.print_exc()
        typer.echo(PLEASE_REPORT, err=True)
        raise SystemExit(FAILED) from error
