"""app.py: the true server in a process of its own, a real video, and headless Chromium."""

import asyncio
import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import cv2
import numpy as np
import pytest
import torch
from tests.conftest import TINY_MODEL
from tests.visualization.viewer_pages import CHROMIUM, SOFTWARE_WEBGL

from kinepose.artifacts.model_files import new_model, save_model
from kinepose.artifacts.pose_files import read_poses
from kinepose.inference.app import Job, Jobs, _listen, _predict, _work
from kinepose.inference.config import AppConfig
from kinepose.io.errors import BadInputError
from kinepose.video.writing import write_video

pytest.importorskip("uvicorn", reason="kinepose[app] is not installed")
FRAMES, FPS = 24, 10.0
LARGEST = 1
"""[MB]"""


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Someone walks past: what the detector 'motion' finds."""
    path = tmp_path_factory.mktemp("video") / "a walk.mp4"

    def frame(index):
        image = np.full((128, 160, 3), 90, np.uint8)
        cv2.rectangle(image, (10 + 5 * index, 30), (25 + 5 * index, 110), (220, 60, 40), -1)
        return image

    write_video(path, (frame(i) for i in range(FRAMES)), FPS)
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("run")
    save_model(new_model(TINY_MODEL), folder)
    return folder


@contextlib.contextmanager
def serving(run, *options, **environment):
    """The address of a server in a process of its own."""
    words = ("app", "--run", run, "--port", 0, "--largest", LARGEST, "--device", "cpu", *options)
    server = subprocess.Popen(
        [sys.executable, "-m", "kinepose", *map(str, words)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
    )
    try:
        yield re.search(r"http://\S+/", server.stdout.readline())[0]
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture(scope="module")
def address(run, tmp_path_factory):
    place = tmp_path_factory.mktemp("server")
    with serving(run, TMPDIR=str(place)) as address:
        yield address
        assert len(list(place.iterdir())) == 1
    assert not list(place.iterdir())


def ask(address, path, method="GET", body=None, **headers):
    request = urllib.request.Request(address + path, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers


def upload(address, path, body):
    status, said, _ = ask(address, path, "PUT", body)
    return status, json.loads(said)


def ended(address, key):
    """What a job says once it has ended."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        job = json.loads(ask(address, f"jobs/{key}")[1])
        if job["state"] not in ("waiting", "running"):
            return job
        time.sleep(0.1)
    raise AssertionError(job)


def test_a_video_is_dropped_watched_and_downloaded(address, video, tmp_path):
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    complaints = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*SOFTWARE_WEBGL])
        page = browser.new_page(viewport={"width": 1100, "height": 900})
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        page.get_by_label("BVH").check()
        page.get_by_label("People are").select_option("motion")
        page.locator("#video").set_input_files(video)
        assert page.locator(".name").text_content() == "a walk.mp4"
        page.wait_for_selector("iframe", timeout=120_000)
        assert page.get_by_role("status").text_content() == "done"
        names = page.locator(".files a").all_text_contents()
        assert names == ["overlay.mp4", "poses.npz", "track_0.bvh", "viewer.html"]
        with page.expect_download() as download:
            page.get_by_role("link", name="poses.npz").click()
        assert download.value.suggested_filename == "a_walk_poses.npz"
        download.value.save_as(tmp_path / "poses.npz")
        viewer = page.frame_locator("iframe")
        viewer.locator("#slider").fill("7")
        assert f"frame 7 of {FRAMES}" in viewer.locator("#time").text_content()
        assert viewer.locator("#skeletons canvas").is_visible()
        page.screenshot(path=tmp_path / "page.png")
        browser.close()
    assert complaints == []
    assert len(read_poses(tmp_path / "poses.npz").frame) > FRAMES / 2


def test_what_is_no_video_says_so_in_one_line(address):
    status, said = upload(address, "videos/text.mp4", b"this is no video" * 100)
    assert status == 200
    job = ended(address, said["key"])
    assert job["state"] == "failed" and job["files"] == []
    assert "text.mp4 is not a video" in job["message"] and "\n" not in job["message"]


def test_videos_that_are_too_large_are_refused_before_and_while_they_come(address, video):
    place = urllib.parse.urlsplit(address)
    announced = http.client.HTTPConnection(place.hostname, place.port, timeout=10)
    announced.putrequest("PUT", f"{place.path}videos/large.mp4")
    announced.putheader("Content-Length", str(LARGEST * 10**6 + 1))
    announced.endheaders()
    assert announced.getresponse().status == 413, "before a byte of it is sent"
    announced.close()
    pieces = (bytes(500_000) for _ in range(3))  # chunked: of a length that is not announced
    try:
        assert upload(address, "videos/large.mp4", pieces)[0] == 413
    except (ConnectionError, urllib.error.URLError) as error:  # it hangs up on who sends on
        assert isinstance(getattr(error, "reason", error), ConnectionError)
    assert upload(address, "videos/small.mp4", video.read_bytes())[0] == 200


@pytest.mark.parametrize("name", ["..%2F..%2Fetc%2Fpasswd", ".mp4", "video", "%2E%2E", "a.b%2Fc"])
def test_names_that_are_no_videos_are_refused(address, name):
    assert ask(address, f"videos/{name}", "PUT", b"x")[0] in (400, 404)


def test_names_and_choices_of_users_are_tamed(address, video):
    body = video.read_bytes()
    _, said = upload(address, "videos/--help%20%24%28x%29;%C3%A4.mp4?detector=none", body)
    job = ended(address, said["key"])
    assert (job["name"], job["state"]) == ("--help_x_ä.mp4", "done")
    assert job["step"] == "viewer", "the last progress bar of `predict`"
    for choice in ("detector=file", "detector=--boxes", "format=exe", "format=bvh&format=--run"):
        assert upload(address, f"videos/video.mp4?{choice}", body)[0] == 400
    outside = ("..%2F--help_x_%C3%A4.mp4", "%2Fetc%2Fpasswd", "../../poses.npz", "nothing")
    for path in outside:
        assert ask(address, f"jobs/{said['key']}/{path}")[0] == 404


def test_a_video_can_be_stopped(address, video):
    keys = [upload(address, "videos/f.mp4", video.read_bytes())[1]["key"] for _ in range(2)]
    for key in keys:
        assert ask(address, f"jobs/{key}", "DELETE")[0] == 200
        assert ended(address, key)["state"] == "stopped"
    assert ask(address, "jobs/unknown")[0] == 404


def test_who_came_by_another_name_is_turned_away(address):
    assert ask(address, "", Host="evil.example")[0] == 400
    assert ask(address, "")[0] == 200


def test_at_all_addresses_it_goes_by_any_name(run):
    with serving(run, "--host", "0.0.0.0") as address:
        assert address.startswith("http://0.0.0.0:")
        here = address.replace("0.0.0.0", "127.0.0.1")
        for name in ("192.168.1.7", "studio.local", "127.0.0.1"):
            assert ask(here, "", Host=name)[0] == 200


def test_a_job_that_cannot_begin_does_not_hold_up_the_next(run, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no_python"))

    async def work():
        jobs = Jobs(AppConfig(run), tmp_path)
        made = [jobs.open(f"{i}.mp4", [])[1] for i in range(2)]
        for job in made:
            jobs.queue.put_nowait(job)
        worker = asyncio.create_task(_work(jobs))
        while not worker.done() and any(job.state in ("waiting", "running") for job in made):
            await asyncio.sleep(0.01)
        worker.cancel()
        return made

    for job in asyncio.run(work()):
        assert job.state == "failed" and "No such file" in job.message
        assert "\n" not in job.message


def test_a_job_is_stopped_while_its_process_begins(run, tmp_path):
    async def stop():
        job = Job("video.mp4", tmp_path, [])
        task = asyncio.create_task(_predict(job, AppConfig(run)))
        await asyncio.sleep(0)
        assert job.state == "running" and job.process is None
        job.stop()
        await task
        return job

    job = asyncio.run(stop())
    assert (job.state, job.process.returncode) == ("stopped", -signal.SIGKILL)


def test_a_server_that_cannot_be_is_one_line(run, tmp_path, address):
    from kinepose.inference.app import serve

    taken = int(address.rsplit(":", 1)[1].strip("/"))
    for given, settings, reason in [
        ((tmp_path,), {}, "not a run"),
        ((run,), {"port": taken}, "no server"),
        ((run,), {"host": "192.0.2.1"}, r":8000 \(.*\): Cannot assign requested address$"),
        ((run,), {"host": "x..y"}, "no server at x..y:8000"),
        ((run,), {"port": 70000}, "--port"),
        ((run,), {"largest": 0}, "--largest"),
    ]:
        with pytest.raises(BadInputError, match=reason) as caught:
            serve(AppConfig(*given, **settings))
        assert "\n" not in str(caught.value)


def test_all_that_is_said_of_a_video_is_kept_however_much_progress_follows(tmp_path):
    """What tqdm writes of thousands of frames is no reason to forget a line of the first."""

    async def listen():
        errors = asyncio.StreamReader()
        progress = b"\rposes:  42%|####      | 9/20"
        said = "kinepose: video.mp4 holds 2 videos: größe\n".encode()
        errors.feed_data(said[:-4])
        errors.feed_data(said[-4:] + 2000 * progress)
        errors.feed_data(b"\r" + 40 * b" " + b"\rkinepose: video.mp4 is broken\n")
        errors.feed_eof()
        job = Job("video.mp4", tmp_path, [])
        return await _listen(job, errors), job

    complaints, job = asyncio.run(listen())
    assert complaints == ["video.mp4 holds 2 videos: größe", "video.mp4 is broken"]
    assert (job.step, job.percent) == ("poses", 42)
