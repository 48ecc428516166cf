"""A video whose frames are told by their grey, people in it, and ways to look at their page."""

import shutil
import time

import cv2
import numpy as np

from kinepose.artifacts.pose_files import VideoPoses, write_poses
from kinepose.video.writing import write_video

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
