"""viewer.py in a real browser: headless Chromium without a network, driven by clicks and keys."""

import re
import shutil
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest

from kinepose.artifacts.pose_files import VideoPoses, read_poses, write_poses
from kinepose.io.errors import BadInputError
from kinepose.video.writing import write_timed_video, write_video
from kinepose.visualization.viewer import LONGEST, write_viewer

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SOFTWARE_WEBGL = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
WIDTH, HEIGHT, FPS, FRAMES = 200, 150, 20.0, 40
TRACKS = (3, 8)
COMES, GOES = 10, 30
"""Person 8 is there from the one frame to before the other."""


def grey(frame):
    """Every frame of the video has a grey of its own."""
    return 30 + 5 * frame


def save_video(path, frames=FRAMES, fps=FPS):
    stills = (np.full((HEIGHT, WIDTH, 3), grey(i) % 256, np.uint8) for i in range(frames))
    write_video(path, stills, fps)
    return path


def write_people(folder, frames=FRAMES, fps=FPS, energy=True):
    """Person 3 in every frame and person 8 in some, in the middle of the image."""
    rng = np.random.default_rng(0)
    rows = [(i, t) for i in range(frames) for t in TRACKS if t == 3 or COMES <= i < GOES]
    frame, track = np.array(rows).T
    joints3d = rng.uniform(-800, 800, (len(rows), 17, 3)).round()
    joints3d[:, 0] = 0
    poses = VideoPoses(
        video=np.array("video.mp4"),
        frame=frame,
        time=frame / fps if fps else np.full(len(rows), np.nan),
        image=np.array(["" if fps else f"{i}.png" for i in frame]),
        track=track,
        box=np.tile(np.float32([60, 30, 140, 120]), (len(rows), 1)),
        joints2d=rng.uniform(50, 110, (len(rows), 17, 2)).astype(np.float32),
        joints3d=joints3d.astype(np.float32),
        confidence=rng.uniform(0, 1, (len(rows), 17)).astype(np.float32),
        root=np.tile(np.float32([0, 0, 5000]), (len(rows), 1)),
        focal=np.full(len(rows), 500, np.float32),
        energy=(frame + 100 * track if energy else frame * np.nan).astype(np.float32),
        fps=np.array(fps, np.float32),
    )
    write_poses(folder / "poses.npz", poses)
    return poses


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("viewer")
    write_people(folder)
    write_viewer(save_video(folder / "two <people>.mp4"), folder)
    return folder


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*SOFTWARE_WEBGL])
        yield browser
        browser.close()


@pytest.fixture
def open_viewer(browser):
    """A function that opens a page; whatever it complained about, or asked for, fails the test."""
    contexts, complaints, addresses = [], [], []

    def open_page(path, **settings):
        context = browser.new_context(offline=True, **settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: addresses.append(request.url))
        page.goto(path.as_uri())
        until(page, "video.readyState >= 2 && !video.seeking")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []
    assert all(address.startswith(("file:", "blob:")) for address in addresses)


@pytest.fixture
def page(open_viewer, folder):
    return open_viewer(folder / "viewer.html", viewport={"width": 720, "height": 540})


def until(page, expression):
    """Waits for JavaScript to be true. Playwright's own waiting needs eval, which the page bars."""
    end = time.monotonic() + 10
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"never true: {expression}"
        page.wait_for_timeout(20)


def shows(page, frame):
    """Whether the video comes to show a frame on the screen, by its grey: browsers take a while."""
    until(page, "!video.seeking")
    end = time.monotonic() + 10
    while time.monotonic() < end:
        video = np.frombuffer(page.locator("#video").screenshot(), np.uint8)
        image = cv2.imdecode(video, cv2.IMREAD_COLOR)
        shown = (image[len(image) // 2, 5].mean() - grey(0)) / (grey(1) - grey(0))
        if abs(shown - frame) < 0.4:
            return True
        page.wait_for_timeout(20)
    return False


def drawn_joints(page, person):
    """Joints of a figure in camera axes [mm], pelvis at 0."""
    positions = page.evaluate(f"figures[{person}].balls.map((ball) => ball.position.toArray())")
    return 1000 * np.array(positions) * [1, -1, -1]


def skeletons(page):
    return page.locator("#skeletons canvas").screenshot()


def test_scrubbing_sets_the_frame_of_video_skeleton_and_chart(page, folder):
    poses = read_poses(folder)
    for frame in (17, 5, 39):
        page.locator("#slider").fill(str(frame))
        assert shows(page, frame)
        row = np.flatnonzero((poses.frame == frame) & (poses.track == 3))[0]
        np.testing.assert_allclose(drawn_joints(page, 0), poses.joints3d[row], atol=1e-3)
        line = page.locator("#video g").first.locator("line").last
        ends = [float(line.get_attribute(name) or "nan") for name in ("x1", "y1", "x2", "y2")]
        np.testing.assert_allclose(ends, poses.joints2d[row][[15, 16]].ravel(), atol=0.13)
        assert f"frame {frame} of 40" in page.locator("#time").text_content()
        assert abs(page.evaluate("cursor.x1.baseVal.value") - 1000 * (frame + 0.5) / 40) < 0.1
        lowest = 1000 * page.evaluate("figures[0].position.y") - poses.joints3d[row, :, 1].max()
        assert abs(lowest) < 1e-3


def test_it_plays_slowly_pauses_and_starts_again(page, folder):
    still = skeletons(page)
    page.get_by_label("Speed").select_option("0.25")
    page.get_by_role("button", name="Play").click()
    until(page, "frame >= 4")
    presented, drawn = page.evaluate(
        "new Promise((done) => video.requestVideoFrameCallback("
        "(_, { mediaTime }) => done([mediaTime * data.fps, frame])))"
    )
    assert abs(presented - drawn) < 0.01
    page.get_by_role("button", name="Pause").click()
    assert page.evaluate("video.playbackRate") == 0.25
    frame = page.evaluate("frame")
    assert 4 <= frame < FRAMES - 1
    assert skeletons(page) != still
    assert shows(page, frame)
    poses = read_poses(folder)
    row = np.flatnonzero((poses.frame == frame) & (poses.track == 3))[0]
    np.testing.assert_allclose(drawn_joints(page, 0), poses.joints3d[row], atol=1e-3)
    page.get_by_label("Speed").select_option("2")
    page.get_by_role("button", name="Play").click()
    until(page, "video.paused")
    assert page.evaluate("frame") == FRAMES - 1
    page.get_by_role("button", name="Play").click()
    until(page, "!video.paused && frame < 20")


def test_keys_step_and_play(page):
    for key, frame in [("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1)]:
        page.keyboard.press(key)
        assert page.evaluate("frame") == frame
    assert shows(page, 1)
    page.keyboard.press("Space")
    until(page, "frame > 3")
    page.keyboard.press("Space")
    assert page.evaluate("video.paused")
    page.get_by_role("button", name="One frame on").click()
    stepped = page.evaluate("frame")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("frame") == stepped - 1
    page.get_by_role("button", name="Play").focus()
    page.keyboard.press("Space")
    until(page, "!video.paused")


def test_a_person_is_chosen(page):
    visible = "figures.map((figure) => figure.visible)"
    person = page.get_by_label("Person")
    assert person.locator("option").all_text_contents() == ["everyone", "3", "8"]
    assert page.evaluate(visible) == [True, False]
    page.locator("#slider").fill("12")
    assert page.evaluate(visible) == [True, True]
    both = skeletons(page)
    for choice, expected, energy in [("3", [True, False], "312"), ("8", [False, True], "812")]:
        person.select_option(label=choice)
        assert page.evaluate(visible) == expected
        assert page.locator("#value").text_content() == energy
        assert page.evaluate("curves.map((c) => c.classList.contains('chosen'))") == expected
        assert skeletons(page) != both
    page.locator("#slider").fill("35")
    assert page.locator("#absent").text_content() == "Not found in this frame."
    person.select_option(label="everyone")
    assert page.locator("#absent").text_content() == ""


def test_the_skeletons_are_turned(page):
    where = "camera.position.toArray().map((x) => Number(x.toFixed(6)))"
    front, image = page.evaluate(where), skeletons(page)
    box = page.locator("#skeletons canvas").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 250, box["y"] + 130, steps=3)
    page.mouse.up()
    turned = page.evaluate(where)
    assert turned != front and skeletons(page) != image
    page.get_by_role("button", name="from the side").click()
    x, _, z = page.evaluate(where)
    assert x > 1 and abs(z) < 1e-3
    page.get_by_role("button", name="as recorded").click()
    assert page.evaluate(where) == front
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.wheel(0, -300)
    until(page, f"camera.position.z < {0.99 * front[2]}")


def test_the_chart_is_clicked(page):
    width = page.locator("#chart").bounding_box()["width"]
    page.locator("#chart").click(position={"x": 25.5 / FRAMES * width, "y": 20})
    assert page.evaluate("frame") == 25
    assert page.evaluate("curves[1].getAttribute('d').match(/M/g).length") == 1
    assert shows(page, 25)


def test_a_phone_shows_it_all_without_scrolling_sideways(open_viewer, folder):
    settings = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    page = open_viewer(folder / "viewer.html", **settings)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    video, skeletons = (page.locator(name).bounding_box() for name in ("#video", "#skeletons"))
    assert video["y"] + video["height"] <= skeletons["y"]
    assert skeletons["width"] > 350
    for control in page.locator("button, select, input, svg, canvas, video").all():
        box = control.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    page.get_by_role("button", name="Play").tap()
    until(page, "frame > 2")


def test_images_of_several_sizes_are_a_video(open_viewer, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for i, size in enumerate([(300, 400), (600, 200), (30, 40)]):
        cv2.imwrite(str(images / f"{i}.png"), np.full((*size, 3), grey(i), np.uint8))
    poses = write_people(tmp_path, frames=3, fps=0.0, energy=False)
    write_viewer(images, tmp_path)
    page = open_viewer(tmp_path / "viewer.html")
    assert page.locator("#time").text_content() == "image 1 of 3: 0.png"
    assert page.evaluate("[video.videoWidth, video.videoHeight]") == [400, 300]
    for image, scale in [(2, 10.0), (1, 0.5)]:
        page.locator("#slider").fill(str(image))
        assert shows(page, image)
        shown = page.evaluate("drawings[0].children[0].x1.baseVal.value")
        assert abs(shown - scale * poses.joints2d[image, 0, 0]) < 0.13
    assert not page.locator("#energy").is_visible()
    assert page.get_by_label("Person").locator("option").count() == 1


def test_video_and_skeleton_are_together_where_frames_come_unevenly(open_viewer, tmp_path):
    """At 20, 4 and 20 frames a second, at rest and while it plays."""
    times = np.concatenate(
        [np.arange(0, 0.8, 0.05), np.arange(0.8, 2.8, 0.25), 2.8 + np.arange(16) / 20]
    )
    stills = [np.full((HEIGHT, WIDTH, 3), grey(i), np.uint8) for i in range(len(times))]
    video = tmp_path / "video.mp4"
    write_timed_video(video, zip(times.tolist(), stills, strict=True), 10.0)
    poses = write_people(tmp_path, frames=len(times), fps=11.0)
    write_poses(tmp_path / "poses.npz", replace(poses, time=times[poses.frame]))
    write_viewer(video, tmp_path)
    page = open_viewer(tmp_path / "viewer.html")
    for frame in (17, 3, 22, len(times) - 1):
        page.locator("#slider").fill(str(frame))
        assert shows(page, frame)
        assert page.evaluate("frame") == frame
        assert page.locator("#time").text_content().startswith(f"{times[frame]:.2f} s")
    page.locator("#slider").fill("0")
    page.get_by_role("button", name="Play").click()
    page.get_by_role("button", name="Pause").wait_for()
    for after in (3, 18, 30):
        until(page, f"frame >= {after}")
        presented, drawn = page.evaluate(
            "new Promise((done) => video.requestVideoFrameCallback("
            "(_, { mediaTime }) => done([mediaTime, frame])))"
        )
        assert abs(presented - times[drawn]) < 2e-3


def test_nothing_in_the_page_is_an_address(folder):
    text = (folder / "viewer.html").read_text()
    assert set(re.findall(r"\w+://[\w.]+", text)) == {"http://www.w3.org"}  # the name of SVG
    assert not re.search(r"<link|@import|url\(|\ssrc=", text)
    assert "two &lt;people&gt;.mp4" in text and "<people>" not in text
    assert "three.js authors" in text
    assert len(text) < 800_000


def test_of_a_long_video_the_page_holds_the_beginning(tmp_path):
    video = save_video(tmp_path / "long.mp4", frames=round(LONGEST) + 4, fps=1.0)
    for frames, says in [(round(LONGEST), False), (round(LONGEST) + 4, True)]:
        write_people(tmp_path, frames=frames, fps=1.0)
        write_viewer(video, tmp_path)
        page = (tmp_path / "viewer.html").read_text()
        assert '"frames": 300' in page
        assert ("the first 5 minutes" in page) == says


def test_without_poses_or_video_there_is_no_page(tmp_path):
    video = save_video(tmp_path / "video.mp4", frames=2)
    with pytest.raises(BadInputError, match="no such file"):
        write_viewer(video, tmp_path)
    write_people(tmp_path, frames=2)
    with pytest.raises(BadInputError, match="no such file"):
        write_viewer(tmp_path / "none.mp4", tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["poses.npz", "video.mp4"]
