"""How a command ends: its exit status, and what it says when it cannot do what was asked or is stopped."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from io import TextIOWrapper
from typing import Any

import typer

from emonet.errors import EmonetError

FAILED = 1  # the call was mistaken, or nothing could be read
SOME_UNREADABLE = 3
USAGE = 2  # how typer ends for a mistaken call
STOPPED = 130  # by Ctrl-C, as shells have it

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
    if isinstance(sys.stdout, TextIOWrapper):  # what its encoding lacks is written as Python writes it
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        application(args=arguments)
    except SystemExit as ending:
        if ending.code == USAGE:
            raise SystemExit(FAILED) from None
        raise
    except (EmonetError, OSError) as error:
        if DEBUG in sys.argv:
            traceback.print_exc()
        typer.echo(f"emonet: {_describe(error)}", err=True)
        raise SystemExit(FAILED) from error
    except Exception as error:  # nothing is hidden: this is where tracebacks are shown
        traceback.print_exc()
        typer.echo(PLEASE_REPORT, err=True)
        raise SystemExit(FAILED) from error


def _describe(error: EmonetError | OSError) -> str:
    """Say what is wrong: of what the system refuses, the file first, without a number that says nothing."""
    if isinstance(error, EmonetError) or error.filename is None or error.strerror is None:
        return str(error)
    return f"{error.filename}: {error.strerror}"


def ending_in_one_line(command: Callable[..., None]) -> Callable[..., None]:
    """Let Ctrl-C end a command with one line, wherever it is."""

    @wraps(command)
    def ends(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
        except KeyboardInterrupt:
            typer.echo("emonet: stopped", err=True)
            raise typer.Exit(STOPPED) from None

    return ends


@contextmanager
def say_how_to_resume() -> Iterator[None]:
    """End with the status of Ctrl-C when it is pressed, and say that the same command goes on."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("emonet: stopped; run the same command again to go on", err=True)
        raise typer.Exit(STOPPED) from None
