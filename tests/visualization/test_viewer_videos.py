"""viewer.py: what the page holds of videos and images of every kind."""

import re
from dataclasses import replace

import cv2
import numpy as np
import pytest
from tests.visualization.viewer_pages import (
    HEIGHT,
    WIDTH,
    grey,
    save_video,
    shows,
    until,
    write_people,
)

from kinepose.artifacts.pose_files import write_poses
from kinepose.io.errors import BadInputError
from kinepose.video.writing import write_timed_video
from kinepose.visualization.viewer import LONGEST, write_viewer

RECORD = """
window.recorded = [];
video.requestVideoFrameCallback(function record(_, { mediaTime }) {
  if (!video.paused) recorded.push([mediaTime, frame]);
  video.requestVideoFrameCallback(record);
});
"""
"""What is on the screen while the video plays, and which frame's people are drawn there."""


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
    page.evaluate(RECORD)
    page.get_by_role("button", name="Play").click()
    until(page, "video.ended")
    presented, drawn = np.array(page.evaluate("recorded")).T
    assert np.abs(presented - times[drawn.astype(int)]).max() < 2e-3
    assert len(set(drawn)) > 5  # however slow the machine is


def test_nothing_in_the_page_is_an_address(viewed):
    text = (viewed / "viewer.html").read_text()
    assert set(re.findall(r"\w+://[\w.]+", text)) == {"http://www.w3.org"}  # the name of SVG
    assert not re.search(r"<link|@import|url\(|\ssrc=", text)
    assert "two &lt;people&gt;.mp4" in text and "<people>" not in text
    assert "three.js authors" in text
    assert len(text) < 800_000


def test_of_a_long_video_the_page_holds_the_beginning(tmp_path):
    """And says so, also if nobody is there later."""
    whole, longer = round(LONGEST), round(LONGEST) + 4
    for frames, seen, says in [
        (whole, whole, False),
        (whole, 40, False),
        (longer, 40, True),
        (longer, longer, True),
    ]:
        video = save_video(tmp_path / "long.mp4", frames=frames, fps=1.0)
        write_people(tmp_path, frames=seen, fps=1.0)
        assert write_viewer(video, tmp_path) == says
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
