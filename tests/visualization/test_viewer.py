"""viewer.py in a real browser, driven by clicks and keys."""

import numpy as np
import pytest
from tests.visualization.viewer_pages import FRAMES, shows, until

from kinepose.artifacts.pose_files import read_poses


@pytest.fixture
def page(open_viewer, viewed):
    return open_viewer(viewed / "viewer.html", viewport={"width": 720, "height": 540})


def drawn_joints(page, person):
    """Joints of a figure in camera axes [mm], pelvis at 0."""
    positions = page.evaluate(f"figures[{person}].balls.map((ball) => ball.position.toArray())")
    return 1000 * np.array(positions) * [1, -1, -1]


def skeletons(page):
    return page.locator("#skeletons canvas").screenshot()


def test_scrubbing_sets_the_frame_of_video_skeleton_and_chart(page, viewed):
    poses = read_poses(viewed)
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


def test_it_plays_slowly_pauses_and_starts_again(page, viewed):
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
    poses = read_poses(viewed)
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


def test_a_phone_shows_it_all_without_scrolling_sideways(open_viewer, viewed):
    settings = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    page = open_viewer(viewed / "viewer.html", **settings)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    video, skeletons = (page.locator(name).bounding_box() for name in ("#video", "#skeletons"))
    assert video["y"] + video["height"] <= skeletons["y"]
    assert skeletons["width"] > 350
    for control in page.locator("button, select, input, svg, canvas, video").all():
        box = control.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    page.get_by_role("button", name="Play").tap()
    until(page, "frame > 2")
