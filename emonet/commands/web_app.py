"""`emonet app`: serve a page on which photos, the camera and films are read, and `POST /predict`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from emonet.app.options import AppLimits, AppPlace
from emonet.commands._console.options import Given, with_options
from emonet.commands._console.predictors import PredictorOptions, open_predictor

SERVING = "Serving"  # a panel of --help


@with_options(PredictorOptions, AppLimits)
def app(
    *,
    host: Annotated[str, typer.Option(rich_help_panel=SERVING, help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(rich_help_panel=SERVING, help="Port to listen on; 0 takes a free one.")] = 7860,
    auth: Annotated[
        str,
        typer.Option(
            rich_help_panel=SERVING,
            metavar="USER:PASSWORD",
            envvar="EMONET_APP_AUTH",
            show_envvar=True,
            help="Ask for a user and a password.",
        ),
    ] = "",
    no_auth: Annotated[
        bool,
        typer.Option(
            "--no-auth",
            rich_help_panel=SERVING,
            help="With another --host: ask for no password; everybody who can reach this machine may use the app.",
        ),
    ] = False,
    name: Annotated[
        list[str] | None,
        typer.Option(rich_help_panel=SERVING, help="Also answer to this name, such as that of a proxy in front."),
    ] = None,
    folders: Annotated[
        list[Path] | None,
        typer.Option("--open", rich_help_panel=SERVING, help="Folder with albums and reports to look at; repeatable."),
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", rich_help_panel=SERVING, help="Open the page in a browser.")
    ] = True,
    given: Given,
) -> None:
    """Serve a page on which photos, the camera and films are read, until Ctrl-C.

    It is served to this machine alone unless you say otherwise, and keeps nothing of what it reads. POST /predict
    answers programs with JSON. Needs the packages of the extra app.
    """
    options, limits = given.choose(PredictorOptions), given.choose(AppLimits)
    given.end_if_printed(options, limits)
    place = AppPlace(host, port, auth, no_auth, tuple(name or ()))
    from emonet.app import AppServer, PhotoReader

    with (
        AppServer(PhotoReader(open_predictor(options), limits), place, folders or ()) as server,
        suppress(KeyboardInterrupt),
    ):
        typer.echo(server.address)
        typer.echo("Ctrl-C ends the app", err=True)
        if browser:
            import webbrowser

            webbrowser.open(server.address)
        server.serve()
