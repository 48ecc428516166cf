"""The poses of a video as one self-contained page: the video beside 3D skeletons to be turned.

Reads a video and what `predict` wrote of it; no model is loaded. Everything is inside the page and
nothing is fetched: three.js, which draws the skeletons; the poses; the video, made small.
"""

import base64
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from jaxtyping import Shaped
from tqdm import tqdm

from kinepose.artifacts.pose_files import VideoPoses, read_poses
from kinepose.geometry.skeleton import JOINT_NAMES, LIMBS
from kinepose.io.files import replacing
from kinepose.video.images import image_paths, is_images
from kinepose.video.reading import VideoInfo, read_frames, video_info
from kinepose.video.writing import TimedImage, write_timed_video
from kinepose.visualization import skeletons
from kinepose.visualization.pages import PAGES

LONGEST = 300.0
"""What comes later in a video is left out of its page [s]."""
LONGER_SIDE = 640
"""Of the video in the page, at most [px]."""
IMAGES_A_SECOND = 1.0
"""The pace at which the page plays a folder of images, whose times are their numbers."""
BITS_A_SECOND = 800_000
"""Of the video in the page, at most: 30 MB with LONGEST."""


def write_viewer(video: Path, folder: Path) -> bool:
    """Write viewer.html beside the poses of a video; return whether it holds its beginning alone.

    Raises:
        BadInputError: if the video or the poses cannot be read, or the page cannot be written.
    """
    poses, info = read_poses(folder), video_info(video)
    fps = float(poses.fps) or IMAGES_A_SECOND
    encoded, scales, times, is_longer = _small_video(video, info, fps)
    shown = poses.frame < len(scales)
    cut = LONGEST / 60 if is_longer else None
    page = PAGES.get_template("viewer.html").render(
        name=info.name,
        cut=cut,
        library=Path(__file__).with_name("templates").joinpath("three.min.js").read_text("utf-8"),
        data={
            "video": base64.b64encode(encoded).decode(),
            "size": _small_size(info),
            "fps": fps,
            "frames": len(scales),
            "time": _packed(np.array(times), np.float32),
            "images": _image_names(video, len(times)),
            **_numbers(poses, shown, np.array(scales)),
            **_skeleton(),
        },
    )
    with replacing(folder / "viewer.html") as temporary:
        temporary.write_text(page, encoding="utf-8")
    return is_longer


def _image_names(video: Path, count: int) -> list[str]:
    """Of the images that are shown; none of a video."""
    return [path.name for path in image_paths(video)[:count]] if is_images(video) else []


def _small_video(
    video: Path, info: VideoInfo, fps: float
) -> tuple[bytes, list[float], list[float], bool]:
    """H.264 of the video's frames at their times; by what each was made smaller; the times [s].

    And whether there are frames after LONGEST, which are left out. A key frame every second makes
    jumps quick.
    """
    width, height = _small_size(info)
    scales: list[float] = []
    times: list[float] = []
    is_longer = False

    def frames() -> Iterator[TimedImage]:
        nonlocal is_longer
        total = min(max(1, round(LONGEST * fps)), info.frames)
        read = tqdm(read_frames(video), desc="viewer", unit="frame", total=total, leave=False)
        for frame in read:
            if frame.time >= LONGEST:
                is_longer = True
                return
            rows, columns, _ = frame.image.shape
            scale = min(width / columns, height / rows)
            canvas = np.zeros((height, width, 3), np.uint8)
            part = canvas[: max(1, round(scale * rows)), : max(1, round(scale * columns))]
            part[:] = cv2.resize(frame.image, part.shape[1::-1], interpolation=cv2.INTER_AREA)
            scales.append(scale)
            times.append(frame.time)
            yield frame.time, canvas

    options = {
        "preset": "veryfast",
        "crf": "25",
        "maxrate": str(BITS_A_SECOND),
        "bufsize": str(2 * BITS_A_SECOND),
        "g": str(max(1, round(fps))),
    }
    with TemporaryDirectory() as place:
        path = Path(place) / "video.mp4"
        write_timed_video(path, frames(), fps, options)
        return path.read_bytes(), scales, times, is_longer


def _small_size(info: VideoInfo) -> tuple[int, int]:
    """Width and height of the video in the page [px], even, as H.264 wants them."""
    scale = min(1.0, LONGER_SIDE / max(info.width, info.height))
    width, height = (max(2, 2 * round(side * scale / 2)) for side in (info.width, info.height))
    return width, height


def _numbers(
    poses: VideoPoses, shown: Shaped[np.ndarray, " rows"], scales: Shaped[np.ndarray, " frames"]
) -> dict[str, str]:
    """The rows that are shown; joints2d in quarters of a px of the small video, joints3d in mm."""
    scale = scales[poses.frame[shown], None, None]
    return {
        "frame": _packed(poses.frame[shown], np.int32),
        "track": _packed(poses.track[shown], np.int32),
        "energy": _packed(poses.energy[shown], np.float32),
        "joints2d": _packed(4 * scale * poses.joints2d[shown], np.int16),
        "joints3d": _packed(poses.joints3d[shown], np.int16),
    }


def _packed(numbers: Shaped[np.ndarray, "..."], kind: type[np.number]) -> str:
    """Base64 of the numbers as this kind, little-endian."""
    if issubclass(kind, np.integer):
        limits = np.iinfo(kind)
        numbers = numbers.round().clip(limits.min, limits.max)
    little_endian = numbers.astype(np.dtype(kind).newbyteorder("<"))
    return base64.b64encode(little_endian.tobytes()).decode()


def _skeleton() -> dict[str, Any]:
    """What is drawn, in the colours of the overlay."""
    return {
        "joints": JOINT_NAMES,
        "limbs": LIMBS,
        "left": _css(skeletons.LEFT),
        "right": _css(skeletons.RIGHT),
        "midlines": [_css(colour) for colour in skeletons.MIDLINES],
    }


def _css(colour: skeletons.Colour) -> str:
    return f"rgb{colour}"
