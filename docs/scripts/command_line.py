"""Write the page reference/command-line.md: the help of every command. MkDocs runs this as a hook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mkdocs.structure.files import File
from typer.testing import CliRunner

from emonet.commands import app

if TYPE_CHECKING:
    from collections.abc import Iterator

    import typer
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

PAGE = "reference/command-line.md"
BEGINNING = """# Command line

This page shows what `emonet COMMAND --help` prints. `--debug`, with any command, shows the traceback of an error.
"""
PLAIN = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the page to those that MkDocs found."""
    files.append(File.generated(config, PAGE, content="\n".join([BEGINNING, *write_sections()])))
    return files


def write_sections() -> Iterator[str]:
    """Write a section of Markdown for each command."""
    for words in list_commands(app):
        name = " ".join(words)
        yield f"## emonet {name}\n\n```text\n{read_help(words)}\n```\n"


def list_commands(group: typer.Typer, *before: str) -> Iterator[tuple[str, ...]]:
    """List the words that each command is called by, in the order of the help."""
    for command in group.registered_commands:
        name = command.name or getattr(command.callback, "__name__", "").replace("_", "-")
        yield (*before, name)
    for child in group.registered_groups:
        if child.typer_instance is not None:
            yield from list_commands(child.typer_instance, *before, str(child.name))


def read_help(words: tuple[str, ...]) -> str:
    """Run a command with --help, and return what it prints without colours."""
    result = CliRunner().invoke(app, [*words, "--help"], env=PLAIN, catch_exceptions=False)
    lines = [line.rstrip() for line in result.output.splitlines()]
    return "\n".join(lines).strip("\n")
