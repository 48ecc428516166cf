"""Ways to find the people in a frame: boxes x0, y0, x1, y1 [px], none of them with a pose."""

import functools
import itertools
import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from kinepose.geometry.boxes import Boxes
from kinepose.io.errors import BadInputError
from kinepose.video.background import LEAST_DIFFERENCE, masked_median
from kinepose.video.display import ImageArray

_NOISES = 5
"""LEAST_DIFFERENCE in median differences of the video, for grainy ones."""
_BRIDGE = 0.035
"""Moving parts nearer than twice this are one blob [longer sides of the image]."""
_BEFORE_AND_AFTER = 0.05
"""What moved this little before or after counts with a frame [s]."""
_SMALLEST_BLOB = 0.002
"""Share of the image."""
_SMALLER_BLOBS = 0.25
"""Blobs of less than this share of the largest one's area are not people."""
_LIGHT_CHANGE = 0.25
"""A frame of which more than this share moves, and ..."""
_LIGHT_CHANGE_RATIO = 3.0
"""... this many times what is usual in the video, shows other light rather than people."""
_MEDIAN_REACH = {False: 5.0, True: 1.0}
"""How far from a frame its median reaches, for a still and for a moving camera [s]."""
_FEWEST_SEEN = 3
"""A moving camera's median is believed where this many other frames saw the place."""
_MEDIAN_SAMPLES = {False: 40, True: 9}

Homography = Float[np.ndarray, "3 3"]


def whole_image(image: ImageArray) -> Boxes:
    """One person, who fills the image."""
    height, width = image.shape[:2]
    return np.array([[0.0, 0.0, width, height]])


def network_detector(
    weights: str, threshold: float, device: str | None = None
) -> Callable[[ImageArray], Boxes]:
    """A detector of transformers (RT-DETR and its like), by name on the Hub or by folder.

    It computes on `device`; unless told, on a GPU if there is one.

    Raises:
        BadInputError: if its weights cannot be had, or it knows no class 'person'.
    """
    import torch  # only here: the processes of `prepare` start in a moment without
    from transformers import AutoImageProcessor, AutoModelForObjectDetection

    try:
        processor = AutoImageProcessor.from_pretrained(weights)
        network = AutoModelForObjectDetection.from_pretrained(weights).eval()
    except (OSError, ValueError, ImportError) as error:
        reason = str(error).strip().splitlines()[0]
        raise BadInputError(
            f"no weights of the detector {weights!r} ({reason}); give --detector-weights FOLDER, "
            "or find people by --detector motion, or by --detector file --boxes CSV"
        ) from error
    names = {str(name).lower(): label for label, name in network.config.id2label.items()}
    if "person" not in names:
        raise BadInputError(f"the detector {weights!r} knows no class 'person'")
    network.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))

    @torch.inference_mode()
    def detect(image: ImageArray) -> Boxes:
        inputs = processor(image, return_tensors="pt").to(network.device)
        (found,) = processor.post_process_object_detection(
            network(**inputs), threshold=threshold, target_sizes=[image.shape[:2]]
        )
        return found["boxes"][found["labels"] == int(names["person"])].cpu().double().numpy()

    return detect


def moving_people(thumbnails: Sequence[ImageArray], fps: float, camera_moves: bool) -> list[Boxes]:
    """Boxes [px of the thumbnails] of what differs from the median of the frames around it.

    Where the camera moves, the frames are first laid over each other by homographies. A person
    who stays where he is shows only the parts that he moves: parts near each other are one.
    """
    differences = _differences(thumbnails, fps, camera_moves)
    noise = float(np.median(differences[:: max(1, len(differences) // 50)]))
    moving = (differences > max(LEAST_DIFFERENCE, _NOISES * noise)).astype(np.uint8)
    shares = moving.mean((1, 2))
    moving[shares > max(_LIGHT_CHANGE, _LIGHT_CHANGE_RATIO * np.median(shares))] = 0
    reach = int(_BEFORE_AND_AFTER * fps + 0.01)
    return [_blobs(moving[max(0, i - reach) : i + reach + 1].max(0)) for i in range(len(moving))]


def _differences(
    thumbnails: Sequence[ImageArray], fps: float, moving: bool
) -> UInt8[np.ndarray, "frames height width"]:
    """How far each frame is from the median around it, in the channel that differs most."""
    smooth = np.stack([cv2.GaussianBlur(image, (0, 0), 1.0) for image in thumbnails])
    to_next = _registrations(thumbnails) if moving else None
    reach = max(1, round(_MEDIAN_REACH[moving] * fps))
    step = 1 if moving else reach  # a still camera's median serves the frames around it
    differences = np.empty(smooth.shape[:3], np.uint8)
    for start in range(0, len(smooth), step):
        middle = min(start + step // 2, len(smooth) - 1)
        first = max(0, min(middle - reach, len(smooth) - 1 - 2 * reach))
        last = min(len(smooth) - 1, first + 2 * reach)
        chosen = np.unique(np.linspace(first, last, _MEDIAN_SAMPLES[moving]).round().astype(int))
        if to_next is None:
            known = np.ones(smooth.shape[1:3], bool)
            median = masked_median(list(smooth[chosen]), [known] * len(chosen))
        else:
            others = [i for i in chosen.tolist() if i != middle]
            laid = [_laid_over(smooth[i], _registration(i, middle, to_next)) for i in others]
            median = masked_median([image for image, _ in laid], [seen for _, seen in laid])
            known = np.sum([seen for _, seen in laid], axis=0) >= _FEWEST_SEEN
        for i in range(start, min(start + step, len(smooth))):
            channels = cv2.split(cv2.absdiff(smooth[i], median))
            differences[i] = functools.reduce(np.maximum, channels) * known
    return differences


def _registrations(thumbnails: Sequence[ImageArray]) -> list[Homography]:
    """From each frame to the next, by what most of its corners agree on: people are outvoted.

    The least median of squares, as errors add up from frame to frame: in a test video panned by
    known amounts it was off by 0.002 px after 12 frames, RANSAC by 0.06 to 0.4 px.
    """
    grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in thumbnails]
    homographies = []
    for this, following in itertools.pairwise(grey):
        homography = None
        corners = cv2.goodFeaturesToTrack(this, 300, 0.01, 4)
        if corners is not None and len(corners) >= 8:
            moved = corners.copy()
            moved, found, _ = cv2.calcOpticalFlowPyrLK(this, following, corners, moved)
            tracked = found.ravel() == 1
            if tracked.sum() >= 8:
                homography, _ = cv2.findHomography(corners[tracked], moved[tracked], cv2.LMEDS)
        homographies.append(np.eye(3) if homography is None else np.asarray(homography))
    return homographies


def _registration(start: int, end: int, to_next: list[Homography]) -> Homography:
    """From frame `start` to frame `end`, forwards or backwards."""
    homography = np.eye(3)
    for step in to_next[min(start, end) : max(start, end)]:
        homography = step @ homography
    return np.linalg.inv(homography) if start > end else homography


def _laid_over(
    image: ImageArray, homography: Homography
) -> tuple[ImageArray, Bool[np.ndarray, "_ _"]]:
    """A frame as the camera of another one would see it, and where it saw that at all."""
    size = image.shape[1], image.shape[0]
    seen = cv2.warpPerspective(np.full(image.shape[:2], 255, np.uint8), homography, size)
    return cv2.warpPerspective(image, homography, size).astype(np.uint8, copy=False), seen == 255


def _blobs(moving: UInt8[np.ndarray, "height width"]) -> Boxes:
    """Boxes of the larger moving things, the largest first."""
    radius = math.ceil(_BRIDGE * max(moving.shape))
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    specks_gone = cv2.morphologyEx(moving, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    left, top, wide, high = cv2.boundingRect(specks_gone)  # elsewhere nothing can come of it
    padded = np.pad(specks_gone[top : top + high, left : left + wide], 2 * radius)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, disk)
    _, _, regions, _ = cv2.connectedComponentsWithStats(closed)
    regions[:, :2] += np.array([left, top], np.int32) - 2 * radius
    regions = regions[1:][np.argsort(-regions[1:, cv2.CC_STAT_AREA], kind="stable")]
    area = regions[:, cv2.CC_STAT_AREA]
    least = max(_SMALLEST_BLOB * moving.size, _SMALLER_BLOBS * area.max(initial=0))
    x0, y0, width, height = regions[area >= least, :4].T.astype(float)
    return np.stack([x0, y0, x0 + width, y0 + height], axis=-1)
