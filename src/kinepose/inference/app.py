"""A local web page to drop a video on: `predict` with its progress, the viewer and the downloads.

Each video is a job with a folder of its own, predicted in a process of its own, one after the
other; all folders are gone when the server ends. Only this machine can reach the page unless --host
says otherwise; nothing that a browser sends becomes a path or an option.
"""

import asyncio
import contextlib
import os
import re
import secrets
import socket
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

from kinepose.artifacts.run_folder import read_run_config
from kinepose.inference.config import AppConfig, Format
from kinepose.inference.output_folder import RECORD
from kinepose.io.errors import BadInputError
from kinepose.video.config import Detector

KEPT = 20
"""Videos whose results are kept; the oldest make room."""
_PAGE = Path(__file__).parents[1] / "visualization/templates/app.html"
_SAYS = "kinepose: "
"""Begins what is wrong, in one line."""
_PROGRESS = re.compile(r"(\w+): +(\d+)%")
_DETECTORS = tuple(name for name in get_args(Detector) if name != "file")
_ANY_ADDRESS = ("", "0.0.0.0")
"""As --host: all addresses of this machine, by whatever name others know it."""
_CONTENT_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data:; connect-src 'self'; frame-src 'self'; frame-ancestors 'none'"
)


@dataclass
class Job:
    """One video, from its upload to its poses."""

    name: str
    folder: Path
    options: list[str]
    state: str = "waiting"
    """waiting, running, done, failed or stopped."""
    step: str = ""
    percent: int = 0
    message: str = ""
    process: asyncio.subprocess.Process | None = None

    @property
    def results(self) -> Path:
        """What `predict` wrote."""
        return self.folder / "poses"

    def stop(self) -> None:
        """End it, wherever it is."""
        if self.state in ("waiting", "running"):
            self.state = "stopped"
        if self.process is not None and self.process.returncode is None:
            self.process.kill()

    def fail(self, why: str) -> None:
        """End it, and say why in one line."""
        if self.state in ("waiting", "running"):
            self.stop()
            self.state, self.message = "failed", " ".join(why.split())

    def described(self) -> dict[str, Any]:
        """For the page."""
        found = self.results.rglob("*") if self.state == "done" else ()
        shown = (path for path in found if path.is_file() and path.name != RECORD)
        files = sorted(str(path.relative_to(self.results)) for path in shown)
        state = {key: getattr(self, key) for key in ("name", "state", "step", "percent")}
        return {**state, "message": self.message, "files": files}


@dataclass
class Jobs:
    """All jobs of a server, and what they have in common."""

    config: AppConfig
    folder: Path
    by_key: dict[str, Job] = field(default_factory=dict)
    queue: "asyncio.Queue[Job]" = field(default_factory=asyncio.Queue)

    def open(self, name: str, options: list[str]) -> tuple[str, Job]:
        """A job for a video that is still to come, under a key that cannot be guessed."""
        ended = [key for key, job in self.by_key.items() if job.state not in ("waiting", "running")]
        for key in ended[: max(0, len(self.by_key) - KEPT + 1)]:
            _remove(self.by_key.pop(key).folder)
        key = secrets.token_urlsafe(9)
        folder = self.folder / key
        folder.mkdir()
        return key, Job(name, folder, options)


def serve(config: AppConfig) -> None:
    """Serve the page until it is interrupted.

    Raises:
        BadInputError: if the run cannot be used, the address cannot be had, or packages are
            missing.
    """
    read_run_config(config.run)
    try:
        import uvicorn
    except ImportError as error:
        raise BadInputError("the page needs kinepose[app]: pip install 'kinepose[app]'") from error
    try:
        place = socket.create_server((config.host, config.port))
    except (OSError, OverflowError, UnicodeError, TypeError) as error:  # of names that cannot be
        said = getattr(error, "strerror", None) or str(error)
        what, _, _ = said.partition(" (while attempting")  # which says it all again
        where = f"{config.host}:{config.port} (--host, --port)"
        raise BadInputError(f"no server at {where}: {what}") from error
    with place, TemporaryDirectory(prefix="kinepose-") as folder:
        port = place.getsockname()[1]
        print(f"drop a video on http://{config.host}:{port}/ (Ctrl+C ends this)", flush=True)
        settings = uvicorn.Config(
            application(config, Path(folder)), log_level="warning", timeout_graceful_shutdown=1
        )
        uvicorn.Server(settings).run(sockets=[place])


def application(config: AppConfig, folder: Path) -> Any:
    """The ASGI application, which keeps what it is given in the folder."""
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.requests import Request
    from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
    from starlette.routing import Route

    jobs = Jobs(config, folder)

    async def page(_: Request) -> Response:
        headers = {"Content-Security-Policy": _CONTENT_POLICY}
        return HTMLResponse(_PAGE.read_text("utf-8"), headers=headers)

    async def upload(request: Request) -> Response:
        try:
            name = _safe_name(request.path_params["name"])
            options = _options(request.query_params)
        except BadInputError as error:
            return JSONResponse({"error": str(error)}, 400)
        limit = config.largest * 10**6
        too_large = JSONResponse({"error": f"videos may have {config.largest} MB at most"}, 413)
        if int(request.headers.get("content-length", 0)) > limit:
            return too_large
        key, job = jobs.open(name, options)
        size, whole = 0, False
        try:
            with (job.folder / name).open("wb") as file:
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > limit:
                        return too_large
                    await asyncio.to_thread(file.write, chunk)
            whole = True
        finally:
            if not whole:
                _remove(job.folder)
        jobs.by_key[key] = job
        await jobs.queue.put(job)
        return JSONResponse({"key": key})

    async def state(request: Request) -> Response:
        job = jobs.by_key.get(request.path_params["key"])
        if job is None:
            return JSONResponse({"error": "no such video"}, 404)
        if request.method == "DELETE":
            job.stop()
        return JSONResponse(job.described())

    async def result(request: Request) -> Response:
        job = jobs.by_key.get(request.path_params["key"])
        name = request.path_params["name"]
        if job is None or name not in job.described()["files"]:
            return JSONResponse({"error": "no such file"}, 404)
        kind = "inline" if name == "viewer.html" else "attachment"
        stem = Path(job.name).stem
        return FileResponse(
            job.results / name,
            filename=f"{stem}_{Path(name).name}",
            content_disposition_type=kind,
        )

    @contextlib.asynccontextmanager
    async def working(_: Starlette) -> AsyncGenerator[None]:
        worker = asyncio.create_task(_work(jobs))
        try:
            yield
        finally:
            worker.cancel()
            for job in jobs.by_key.values():
                job.stop()
            with contextlib.suppress(asyncio.CancelledError):
                await worker

    # Whoever asks for another host came by a name that points here and is not ours.
    hosts = ["localhost", "127.0.0.1", "[::1]", config.host]
    if config.host in _ANY_ADDRESS:
        hosts = ["*"]
    return Starlette(
        routes=[
            Route("/", page),
            Route("/videos/{name}", upload, methods=["PUT"]),
            Route("/jobs/{key}", state, methods=["GET", "DELETE"]),
            Route("/jobs/{key}/{name:path}", result),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts)],
        lifespan=working,
    )


async def _work(jobs: Jobs) -> None:
    """One job after the other; what stops one of them does not stop the next."""
    while True:
        job = await jobs.queue.get()
        try:
            if job.state == "waiting":
                await _predict(job, jobs.config)
        except Exception as error:  # memory for another process may lack, say
            job.fail(f"this machine could not work on it: {error}")
        with contextlib.suppress(OSError):
            (job.folder / job.name).unlink(missing_ok=True)


async def _predict(job: Job, config: AppConfig) -> None:
    job.state, job.step = "running", "people"
    words = ["predict", job.folder / job.name, "--run", config.run, "--output", job.results]
    words += ["--device", config.device, *job.options]
    job.process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "kinepose"),
        *map(str, words),
        env=os.environ | {"TQDM_DISABLE": ""},  # its progress bars are read below
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    if job.state != "running":  # it was stopped while the process began
        job.stop()
    assert job.process.stderr is not None
    complaints = await _listen(job, job.process.stderr)
    status = await job.process.wait()
    if job.state == "running":
        job.state = "failed" if status else "done"
        what_failed = complaints[-1] if complaints else "it ended unexpectedly"
        job.message = what_failed if status else "; ".join(complaints)


async def _listen(job: Job, errors: asyncio.StreamReader) -> list[str]:
    """Keep the job's progress up to date; all that `predict` says of its video, in the end."""
    complaints, rest = [], b""
    while chunk := await errors.read(4096):
        *lines, rest = re.split(rb"[\r\n]", rest + chunk)
        said = [line.decode("utf-8", "replace") for line in (*lines, rest)]
        if seen := _PROGRESS.findall("\n".join(said)):
            job.step, job.percent = seen[-1][0], int(seen[-1][1])
        complaints += [line.removeprefix(_SAYS) for line in said[:-1] if line.startswith(_SAYS)]
    return [complaint.replace(f"{job.folder}{os.sep}", "") for complaint in complaints]


def _safe_name(name: str) -> str:
    """A video's name without what could mean anything to a file system.

    Raises:
        BadInputError: if no name is left.
    """
    stem, dot, suffix = name.rpartition(".")
    stem = re.sub(r"[^\w-]+", "_", stem).strip("_")[:60]
    if not dot or not stem or not re.fullmatch(r"[A-Za-z0-9]{1,5}", suffix):
        raise BadInputError("a file needs a name like video.mp4 or photo.jpg")
    return f"{stem}.{suffix}"


def _options(asked: Any) -> list[str]:
    """What of `predict` can be chosen on the page.

    Raises:
        BadInputError: if a choice is none.
    """
    detector, formats = asked.get("detector", "people"), asked.getlist("format")
    if detector not in _DETECTORS or not set(formats) <= set(get_args(Format)):
        raise BadInputError(f"detectors: {', '.join(_DETECTORS)}; formats: {get_args(Format)}")
    return ["--detector", detector, "--side", "frame", "--formats", "npz", *formats]


def _remove(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()
