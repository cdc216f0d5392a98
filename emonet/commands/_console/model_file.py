"""What `emonet models` says of a model file: its network, its heads, and which of them answers by default."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from emonet.heads import Head
    from emonet.inference.checkpoint import Checkpoint


def change_default(path: str, asked: str) -> None:
    """Store another default answer in a model file, given as HEAD or HEAD,PRIOR."""
    from emonet.inference.checkpoint import set_default

    head, comma, prior = asked.partition(",")
    set_default(path, head.strip(), prior.strip() if comma else "training")


def show_file(path: str, *, as_json: bool) -> None:
    """Say which network a file holds, and with which heads it answers."""
    from emonet.inference.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(path)
    if as_json:
        facts = {"model": checkpoint.model, "input": checkpoint.input.to_dict(), "detector": checkpoint.detector}
        typer.echo(json.dumps(facts | head_facts(checkpoint), indent=2))
        return
    typer.echo(f"{path}: {checkpoint.model}")
    show_heads(checkpoint)


def head_facts(checkpoint: Checkpoint) -> dict[str, Any]:
    """Give the heads with their classes and priors, and the default answer, as JSON takes them."""
    choice = checkpoint.choice()
    return {
        "heads": [head.to_dict() for head in checkpoint.heads],
        "default": {"head": choice.head, "prior": choice.prior, "classes": list(choice.classes)},
    }


def show_heads(checkpoint: Checkpoint) -> None:
    """Show each head with its classes, and the default answer."""
    from rich.console import Console
    from rich.table import Column, Table

    choice = checkpoint.choice()
    table = Table(Column("head", no_wrap=True), "classes (share in training)", box=None, pad_edge=False)
    for head in checkpoint.heads:
        table.add_row(head.name, _classes(head))
    Console().print(table)
    typer.echo(f"answers by default: head {choice.head}, prior {choice.prior}")


def _classes(head: Head) -> str:
    """In their order, each with its share if that is known."""
    if not head.prior:
        return f"{', '.join(head.classes)} (shares not known)"
    return ", ".join(f"{name} {share:.1%}" for name, share in zip(head.classes, head.prior, strict=True))
