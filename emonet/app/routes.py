"""What the app answers beside its page: predictions as JSON, camera images, explanations, and what was made before."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from emonet.app.live import describe_frame, render_live
from emonet.app.opened import OpenedFolders
from emonet.app.reader import BusyError, PhotoReader
from emonet.errors import EmonetError, ImageError, MissingPackageError, OptionError
from facecrop.images import encode_jpeg

BODY_S = 60  # seconds in which an upload must have arrived: it holds a place in the queue

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

Answer = Callable[[Request], Any]


def make_routes(reader: PhotoReader, opened: OpenedFolders) -> list[Route]:
    """Make the routes of everything but Gradio's page."""
    return [
        _make_route("/predict", "POST", partial(_predict, reader)),
        _make_route("/frame", "POST", partial(_read_frame, reader)),
        _make_route("/explain", "POST", partial(_explain, reader)),
        _make_route("/live", "GET", partial(_show_live, reader)),
        _make_route("/open/{number:int}/{path:path}", "GET", partial(_open, opened)),
    ]


def _make_route(path: str, method: str, answer: Answer) -> Route:
    """Make a route that refuses other methods itself: Gradio would answer that there is no such page."""

    async def answer_method(request: Request) -> Any:
        if request.method != method and (request.method, method) != ("HEAD", "GET"):
            raise HTTPException(405, f"ask with {method}, not with {request.method}", {"Allow": method})
        return await answer(request)

    return Route(path, _answering(answer_method), methods=METHODS)


def _answering(answer: Answer) -> Answer:
    """Turn errors on purpose into an answer; others become a status 500, and the app goes on."""

    async def respond(request: Request) -> Response:
        try:
            response: Response = await answer(request)
        except BusyError as error:
            return JSONResponse({"error": str(error)}, 503, {"Retry-After": "1"})
        except MissingPackageError as error:
            return JSONResponse({"error": str(error)}, 501)
        except FileNotFoundError:
            return JSONResponse({"error": "there is nothing here"}, 404)
        except (EmonetError, ClientDisconnect) as error:
            return JSONResponse({"error": error.reason if isinstance(error, ImageError) else str(error)}, 400)
        except HTTPException as error:  # of the method, or of a form that cannot be read
            return JSONResponse({"error": error.detail}, error.status_code, error.headers)
        except TimeoutError:
            return JSONResponse({"error": f"the upload did not arrive within {BODY_S} seconds"}, 408)
        return response

    return respond


async def _predict(reader: PhotoReader, request: Request) -> Response:
    with reader.place():
        photo = await run_in_threadpool(reader.read, await _read_upload(request))
    return JSONResponse(photo.to_dict())


async def _read_frame(reader: PhotoReader, request: Request) -> Response:
    with reader.place():
        photo = await run_in_threadpool(reader.read_frame, await _read_upload(request))
        described = await run_in_threadpool(describe_frame, photo, reader.predictor)
    return JSONResponse(described)


async def _explain(reader: PhotoReader, request: Request) -> Response:
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise OptionError("an explanation is asked for as JSON")
    with reader.place():
        async with asyncio.timeout(BODY_S):
            asked = _parse_question(await request.body())
        image = await run_in_threadpool(reader.explain, *asked)
    return Response(encode_jpeg(image), media_type="image/jpeg")


async def _show_live(reader: PhotoReader, _: Request) -> Response:
    return HTMLResponse(render_live(reader.predictor), headers={"content-security-policy": "frame-ancestors 'self'"})


async def _open(opened: OpenedFolders, request: Request) -> Response:
    path = opened.find(request.path_params["number"], request.path_params["path"])
    # A page of another's may run its own script, but it can reach nothing, this app included: the sandbox gives it an
    # origin of its own, so that it cannot look into images that it shows. With modals an album can ask before
    # corrections that were not saved are lost.
    policy = (
        "sandbox allow-scripts allow-downloads allow-modals allow-popups; default-src 'none'; "
        "script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' blob:; "
        "frame-ancestors 'self'; form-action 'none'; base-uri 'none'"
    )
    shown = "cross-origin"  # by its pages, whose origin is another one
    return FileResponse(path, headers={"content-security-policy": policy, "cross-origin-resource-policy": shown})


async def _read_upload(request: Request) -> bytes:
    """Read a photo that is the body itself, or the first file of a form."""
    async with asyncio.timeout(BODY_S):
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            return bytes(await request.body())
        async with request.form(max_files=1, max_fields=10) as form:
            for value in form.values():
                if not isinstance(value, str):
                    return bytes(await value.read())
    raise OptionError("the form holds no file")


def _parse_question(body: bytes) -> tuple[bytes, dict[str, Any], str]:
    try:
        asked = json.loads(body)
        return base64.b64decode(asked["image"], validate=True), dict(asked["face"]), str(asked["emotion"])
    except (ValueError, KeyError, TypeError) as error:
        raise OptionError(f"the question cannot be read: {error}") from error
