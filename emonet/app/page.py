"""The page with its tabs, made with Gradio: the one module that knows it.

Gradio stores an upload in its own temporary folder; each is removed as soon as it was read. Nothing that is shown is a
file: photos, tables and timelines are inside the markup.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from html import escape
from pathlib import Path
from threading import Event
from typing import Any

import gradio as gr

from emonet.app.film import FilmReader
from emonet.app.opened import OpenedFolders
from emonet.app.photo import PhotoCard, describe_error, describe_photo, render_photos
from emonet.app.reader import PhotoReader
from emonet.errors import EmonetError, ImageError, VideoError
from emonet.html.render import TEMPLATES, open_templates
from emonet.palette import EXPRESSIONS
from emonet.prediction import PhotoResult

PROGRESS = gr.Progress()  # Gradio finds it as the default of an argument
KEPT_S = 7200  # seconds: uploads that nobody asks about are removed after them; a film may wait for others
PAPER, DARK_PAPER = "#fdfdfc", "#15181b"  # as in page.css
FILMS = [".mp4", ".webm", ".mov", ".avi", ".mkv", ".m4v"]
TAKEN = "the same file was uploaded twice at the same time; choose it again"
HEADING = """# Expressions in your photos
What a face appears to express, which its owner need not feel. Not for decisions about people.
Photos are read by this app and forgotten."""
LIVE = '<div class="emonet"><iframe class="live" src="/live" title="Camera" allow="camera"></iframe></div>'


class AppPage:
    """The tabs, and what they do.

    Args:
        reader: What reads photos.
        opened: What earlier runs made.
        cache: Gradio's temporary folder.
    """

    def __init__(self, reader: PhotoReader, opened: OpenedFolders, cache: Path) -> None:
        self._reader, self._opened, self._cache = reader, opened, cache
        self._films = FilmReader(reader.predictor)
        self._stops: dict[str, list[Event]] = {}  # of the films that wait or are read, by session

    def build(self) -> Any:
        """Put the tabs together."""
        with gr.Blocks(analytics_enabled=False, title="emonet", delete_cache=(KEPT_S // 10, KEPT_S)) as blocks:
            gr.Markdown(HEADING)
            with gr.Tab("Photo"):
                self._add_photos()
            with gr.Tab("Live"):
                gr.HTML(LIVE, apply_default_css=False, js_on_load=None)
            with gr.Tab("Film"):
                self._add_film()
            with gr.Tab("Albums") as tab:
                listed = gr.HTML(self._list_pages(), apply_default_css=False, js_on_load=None)
                tab.select(self._list_pages, None, listed, api_visibility="private")
            blocks.unload(self._leave)
        return blocks.queue(max_size=self._reader.limits.queue, default_concurrency_limit=1)

    def _add_photos(self) -> None:
        files = _make_upload(
            file_count="multiple",
            file_types=["image", ".heic", ".heif", ".avif"],
            label="Drop, paste or choose photos",
            elem_id="photos",
        )
        shown = gr.HTML(apply_default_css=False, js_on_load=None, elem_id="shown-photos")
        files.upload(self._read_photos, files, [shown, files], api_name="photos", concurrency_limit=2)

    def _add_film(self) -> None:
        film = _make_upload(file_types=FILMS, label="Drop or choose a film", elem_id="film")
        stop = gr.Button("Stop, and show what was read", size="sm", elem_id="stop-film")
        shown = gr.HTML(apply_default_css=False, js_on_load=None, elem_id="shown-film")
        waiting = film.upload(self._await_film, concurrency_limit=None, api_visibility="private")
        waiting.then(self._read_film, film, [shown, film], api_name="film", concurrency_limit=1)
        stop.click(self._stop_film, api_visibility="private")

    def _read_photos(self, files: list[str], progress: Any = PROGRESS) -> tuple[str, None]:
        cards: list[PhotoCard] = []
        results: list[PhotoResult] = []
        with self._removing(files or []) as paths:
            for number, path in enumerate(paths):
                progress((number, len(paths)), desc="Reading")
                card, result = self._read_photo(path)
                cards.append(card)
                results.append(result)
        return render_photos(cards, results, self._reader.classes), None

    def _read_photo(self, path: Path) -> tuple[PhotoCard, PhotoResult]:
        if not path.exists():
            return describe_error(path.name, TAKEN), PhotoResult(path.name, error=ImageError(path.name, TAKEN))
        try:
            with self._reader.place():
                photo = self._reader.read(path)
                card = describe_photo(path.name, photo, self._reader)
        except ImageError as error:
            return describe_error(path.name, error.reason), PhotoResult(path.name, error=error)
        except EmonetError as error:
            raise gr.Error(escape(str(error)), print_exception=False) from error
        return card, replace(photo.result, source=path.name)

    def _await_film(self, request: gr.Request) -> None:
        self._stops.setdefault(str(request.session_hash), []).append(Event())  # now, because it may wait for others

    def _read_film(self, film: str, request: gr.Request, progress: Any = PROGRESS) -> tuple[str, None]:
        session = str(request.session_hash)
        waiting = self._stops.setdefault(session, [])
        stop = waiting[0] if waiting else Event()  # films of a session are read in order
        try:
            with self._removing([film]) as (path,):
                if not path.exists():
                    raise VideoError(path.name, TAKEN)
                return self._films.read(path, lambda share, words: progress(share, desc=words), stop), None
        except EmonetError as error:
            reason = getattr(error, "reason", str(error))
            raise gr.Error(escape(reason), print_exception=False) from error
        finally:
            if stop in waiting:
                waiting.remove(stop)
            if not waiting:
                self._stops.pop(session, None)

    def _stop_film(self, request: gr.Request) -> None:
        for stop in self._stops.get(str(request.session_hash), ()):
            stop.set()

    def _leave(self, request: gr.Request) -> None:
        self._stop_film(request)

    def _list_pages(self) -> str:
        template = open_templates().get_template("app_opened.html.j2")
        return template.render(given=bool(self._opened), pages=self._opened.pages())

    @contextmanager
    def _removing(self, files: list[str]) -> Iterator[list[Path]]:
        """Take uploads out of Gradio's folder, where old ones are removed, and remove them in the end."""
        try:
            with tempfile.TemporaryDirectory() as folder:
                names = enumerate(dict.fromkeys(files))  # a file may be named twice: Gradio keeps one of each content
                taken = {name: self._take(Path(name), Path(folder) / str(number)) for number, name in names}
                yield [taken[name] for name in files]
        finally:
            self._sweep()

    def _take(self, path: Path, folder: Path) -> Path:
        """Move an upload, and remove the folder that Gradio made for it; other files stay where they are.

        Uploads of the same content share a folder, and those of the same name, too, are one file: it is not there any
        more if another session has taken it.
        """
        if not path.resolve().is_relative_to(self._cache.resolve()):
            return path
        folder.mkdir()
        taken = folder / path.name
        with suppress(FileNotFoundError):
            shutil.move(path, taken)
        with suppress(OSError):  # it holds more, or was removed
            if path.parent.resolve() != self._cache.resolve():
                path.parent.rmdir()
        return taken

    def _sweep(self) -> None:
        """Remove what Gradio left some time ago: empty files, and uploads that nobody asked about."""
        for path in self._cache.iterdir():
            with suppress(FileNotFoundError):  # another session removes the same
                if time.time() - path.stat().st_mtime > KEPT_S:
                    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()


def _make_upload(**options: Any) -> Any:
    """Make Gradio's upload, but so that it does not fetch what it is given the address of."""
    upload = gr.File(**options)
    move = upload.async_move_resource_to_block_cache

    async def move_file(path: Any) -> Any:
        if "://" in str(path):
            raise gr.Error("an upload is a file, and no address", print_exception=False)
        return await move(path)

    upload.async_move_resource_to_block_cache = move_file  # a subclass would have Gradio write files beside this one
    return upload


def make_head() -> str:
    """Return the styles and the script of the page, for its head."""
    colours = "\n".join(f".emonet .{name} {{ --expression: {colour}; }}" for name, colour in EXPRESSIONS.items())
    style, script = ((TEMPLATES / name).read_text(encoding="utf-8") for name in ("app.css", "app.js"))
    return f"<style>{style}{colours}</style><script>{script}</script>"


def mount_page(app: Any, blocks: Any, max_bytes: int) -> Any:
    """Mount the page on an application of FastAPI, without all that Gradio would keep or ask others for."""
    fonts = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
    theme = gr.themes.Default(primary_hue="emerald", neutral_hue="zinc", font=fonts, font_mono=["ui-monospace"])
    theme = theme.set(body_background_fill=PAPER, body_background_fill_dark=DARK_PAPER)
    return gr.mount_gradio_app(
        app,
        blocks,
        "/",
        footer_links=[],
        run_history=False,
        show_error=True,
        max_file_size=max_bytes,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=theme,
        head=make_head(),
    )
