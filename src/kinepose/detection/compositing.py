"""Cutouts turned, shrunk and laid over images."""

import cv2
import numpy as np
from jaxtyping import Float, Float32, Int, Int16, UInt8

from kinepose.detection.cutouts import SEEN, Cutout

Layers = UInt8[np.ndarray, "rows columns 4"]
"""RGB times mask, and mask, of something with nothing around it."""


def turned(cutout: Cutout, length: float, angle: float, mirrored: bool) -> Layers:
    """A cutout whose longer side becomes so long [px] before it is turned [degrees]."""
    _, _, width, height = cv2.boundingRect(cutout[..., 3])
    layers, scale = cutout[:height, :width], length / max(width, height, 1)
    if scale < 0.7:  # a pixel is the mean of what it covers
        size = max(2, round(width * scale)), max(2, round(height * scale))
        layers = cv2.resize(layers, size, interpolation=cv2.INTER_AREA)
        (height, width, _), scale = layers.shape, 1.0
    if mirrored:
        layers = np.ascontiguousarray(layers[:, ::-1])
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, scale)
    reach = np.abs(turn[:, :2]) @ [width, height]
    size = np.maximum(np.ceil(reach), 1).astype(int)
    turn[:, 2] += size / 2 - [width / 2, height / 2]
    return cv2.warpAffine(layers, turn, size.tolist()).astype(np.uint8, copy=False)


def lay_over(
    image: UInt8[np.ndarray, "side side 3"],
    owner: Int16[np.ndarray, "side side"],
    layers: Layers,
    corner: Int[np.ndarray, " 2"],
    number: int,
    gain: Float[np.ndarray, " 3"],
) -> Float32[np.ndarray, " 4"] | None:
    """Lay layers over an image, their colours times the gain, upper left corner there.

    `owner` then holds the number where they are what is seen. Gives the box of all that they cover
    of the image, x0, y0, x1, y1 [px], if there is anything.
    """
    side = len(image)
    x0, y0 = np.maximum(corner, 0).tolist()
    x1, y1 = np.minimum(corner + layers.shape[1::-1], side).tolist()
    if x1 <= x0 or y1 <= y0:
        return None
    layers = layers[y0 - corner[1] : y1 - corner[1], x0 - corner[0] : x1 - corner[0]]
    mask = layers[..., 3]
    is_seen = mask > SEEN
    behind = cv2.multiply(image[y0:y1, x0:x1], cv2.merge([255 - mask] * 3), scale=1 / 255)
    before = cv2.transform(layers, np.eye(3, 4) * gain[:, None])
    image[y0:y1, x0:x1] = cv2.add(behind, before)
    owner[y0:y1, x0:x1][is_seen] = number
    left, top, width, height = cv2.boundingRect(is_seen.astype(np.uint8))
    box = np.array([left, top, left + width, top + height], np.float32)
    return box + np.array([x0, y0, x0, y0], np.float32) if width else None
