"""Skeletons painted onto images, fast enough for every frame of a video.

The person's own left and right sides have the same two colours everywhere; the colour of the
midline tells people apart. Images are uint8 [H, W, 3] RGB, and are painted in place.
"""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from kinepose.geometry.skeleton import JOINT_NAMES, LIMBS

ImageArray = UInt8[np.ndarray, "height width 3"]
Colour = tuple[int, int, int]

LEFT: Colour = (255, 138, 30)
RIGHT: Colour = (45, 165, 255)
MIDLINES: tuple[Colour, ...] = (
    (255, 255, 255),
    (255, 221, 51),
    (120, 230, 120),
    (235, 120, 235),
    (255, 110, 110),
    (110, 230, 230),
)
OUTLINE: Colour = (25, 28, 35)
PAPER: Colour = (38, 42, 51)
FLOOR: Colour = (62, 68, 80)
TRUTH: Colour = (120, 210, 90)

SHOWN_HEIGHT = (480, 720)
"""Overlays are no lower and no higher than this, and no wider than twice that [px]."""

_SUBPIXEL_BITS = 4


def draw_skeleton(
    image: ImageArray,
    joints2d: Float[np.ndarray, "17 2"],
    person: int = 0,
    width: int | None = None,
    depth: Float[np.ndarray, " 17"] | None = None,
    colour: Colour | None = None,
) -> None:
    """Paint a skeleton whose joints are in px from the image's top left corner.

    Lines are as wide as suits the skeleton's own size unless told. With a depth, away from the
    viewer, the far limbs are painted first. A colour takes the place of those of the sides.
    """
    extent = float(np.ptp(joints2d, axis=0).max())
    if not np.isfinite(extent):
        return
    width = width or int(np.clip(extent / 80, 1, 20))
    order = list(LIMBS)
    if depth is not None:
        order.sort(key=lambda limb: -float(depth[list(limb)].mean()))
    for parent, joint in order:
        _line(image, joints2d[parent], joints2d[joint], OUTLINE, 2 * width + 1)
        _line(image, joints2d[parent], joints2d[joint], colour or _colour(joint, person), width)
        for end in (parent, joint):
            _dot(image, joints2d[end], colour or _colour(end, person), 0.9 * width)


def draw_box(image: ImageArray, box: Float[np.ndarray, " 4"], person: int = 0) -> None:
    """Paint the outline of x0, y0, x1, y1 [px]."""
    width = max(1, round(max(image.shape) / 700))
    x0, y0, x1, y1 = (int(v) for v in np.clip(box, -1e4, 1e4))
    cv2.rectangle(image, (x0, y0), (x1, y1), midline(person), width, cv2.LINE_AA)


def skeleton_view(
    poses: list[tuple[int, Float[np.ndarray, "17 3"]]],
    size: int,
    turn: float,
    half_extent: float,
    title: str = "",
    truth: Float[np.ndarray, "17 3"] | None = None,
) -> ImageArray:
    """3D skeletons in camera axes (x right, y down, z away), seen in parallel projection.

    `turn` [degrees] walks the viewer around them about the vertical: 0 is the video camera's view,
    90 the view from where its right is. Each of the (person, joints) has its pelvis in the middle
    of a column of its own; half_extent, in the joints' unit, is half the height shown. The truth
    about a single person is green, behind it.
    """
    view = np.full((size, size, 3), PAPER, np.uint8)
    scale, width = size / 2 / half_extent, max(1, size // 110)
    for column, (person, joints) in enumerate(poses):
        middle = np.array([(column + 0.5) / len(poses) * size, size / 2])
        seen, depth = _seen_from(joints, turn)
        _shadow(view, seen * scale + middle, middle, size / len(poses))
        if truth is not None:
            behind = _seen_from(truth, turn)[0] * scale + middle
            draw_skeleton(view, behind, width=max(1, width - 1), colour=TRUTH)
        draw_skeleton(view, seen * scale + middle, person, width, depth)
    if title:
        write(view, title, (size // 30, size // 14), size / 800)
    return view


def write(image: ImageArray, text: str, corner: tuple[int, int], scale: float) -> None:
    """Paint text, its lower left corner at `corner` [px]."""
    for colour, width in ((OUTLINE, 3), ((225, 228, 235), 1)):
        thickness = max(1, round(width * max(1.0, 2 * scale)))
        cv2.putText(
            image, text, corner, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thickness, cv2.LINE_AA
        )


def midline(person: int) -> Colour:
    """The colour that tells this person from the others."""
    return MIDLINES[person % len(MIDLINES)]


def side_colour(joint: str, middle: Colour) -> Colour:
    """The colour of a joint's side of the body; `middle` for those on the midline."""
    if joint.startswith("left_"):
        return LEFT
    return RIGHT if joint.startswith("right_") else middle


def _colour(joint: int, person: int) -> Colour:
    return side_colour(JOINT_NAMES[joint], midline(person))


def _seen_from(
    joints: Float[np.ndarray, "17 3"], turn: float
) -> tuple[Float[np.ndarray, "17 2"], Float[np.ndarray, " 17"]]:
    """Where joints are seen by a viewer who walked around them, and how far away."""
    cosine, sine = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    x, y, z = joints.T
    return np.stack([x * cosine + z * sine, y], axis=-1), z * cosine - x * sine


def _shadow(
    view: ImageArray,
    seen: Float[np.ndarray, "17 2"],
    middle: Float[np.ndarray, " 2"],
    width: float,
) -> None:
    """A line of floor under the lowest joint."""
    floor = np.array([middle[0], seen[:, 1].max() + 0.01 * view.shape[0]])
    reach = np.array([0.42 * width, 0.0])
    _line(view, floor - reach, floor + reach, FLOOR, max(1, view.shape[0] // 150))


def _line(
    image: ImageArray,
    start: Float[np.ndarray, " 2"],
    end: Float[np.ndarray, " 2"],
    colour: Colour,
    width: int,
) -> None:
    cv2.line(image, _fixed(start), _fixed(end), colour, width, cv2.LINE_AA, _SUBPIXEL_BITS)


def _dot(image: ImageArray, centre: Float[np.ndarray, " 2"], colour: Colour, radius: float) -> None:
    size = round(radius * 2**_SUBPIXEL_BITS)
    cv2.circle(image, _fixed(centre), size, colour, -1, cv2.LINE_AA, _SUBPIXEL_BITS)


def _fixed(point: Float[np.ndarray, " 2"]) -> tuple[int, int]:
    """OpenCV's fixed-point coordinates, in which the centre of the first pixel is 0."""
    x, y = np.clip((point - 0.5) * 2**_SUBPIXEL_BITS, -(2**20), 2**20)
    return round(float(x)), round(float(y))


def overlay_frame(
    image: ImageArray,
    people: list[int],
    boxes: Float[np.ndarray, "people 4"],
    joints2d: Float[np.ndarray, "people 17 2"],
    joints3d: Float[np.ndarray, "people 17 3"],
    height: float,
) -> UInt8[np.ndarray, "shown_height shown_width 3"]:
    """A frame with its 2D skeletons and, beside it, the 3D ones as recorded and from the side.

    boxes and joints2d in px of the image, joints3d in camera axes in the unit of `height`, the
    stature. Small images are enlarged, large ones shrunk (see SHOWN_HEIGHT).
    """
    (lowest, highest), (rows, columns, _) = SHOWN_HEIGHT, image.shape
    scale = min(max(1.0, lowest / rows), highest / rows, 2 * highest / columns)
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    shown = cv2.resize(image, size, interpolation=how)
    for person, box, joints in zip(people, boxes, joints2d, strict=True):
        if len(people) > 1:
            draw_box(shown, box * scale, person)
        draw_skeleton(shown, joints * scale, person)
    return np.concatenate([shown, _views(shown.shape[0], people, joints3d, height)], axis=1)


def _views(
    height_px: int, people: list[int], joints3d: Float[np.ndarray, "people 17 3"], height: float
) -> ImageArray:
    """A column of two square views, together `height_px` high."""
    poses = list(zip(people, joints3d, strict=True))
    half_extent = 0.65 * height * max(1.0, 0.6 * len(people))
    upper = (height_px + 1) // 2
    views = [
        skeleton_view(poses, upper, turn, half_extent, title)
        for turn, title in ((0.0, "as recorded"), (90.0, "from the side"))
    ]
    return np.concatenate(views)[:height_px]
