"""A camera's work: the pictures of someone on the stage, and what a detector makes of them."""

from collections.abc import Iterator

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from kinepose.config import SynthesizeConfig
from kinepose.synthetic.body import load_body
from kinepose.synthetic.garb import make_garb
from kinepose.synthetic.light import random_light
from kinepose.synthetic.renderer import Camera, Picture, render
from kinepose.synthetic.stage import Actor, Backdrop
from kinepose.synthetic.wardrobe import random_outfit

_CHUNK = 16
"""Frames rendered at once."""


def shoot(
    generator: np.random.Generator,
    config: SynthesizeConfig,
    actor: Actor,
    camera: Camera,
    moving: bool,
) -> Iterator[tuple[UInt8[np.ndarray, "size size 3"], Float[np.ndarray, "size size"]]]:
    """The frames of a film, and the share of each pixel that the person covers."""
    garb = make_garb(load_body())
    outfit = random_outfit(generator, config.look)
    light = random_light(generator, config.look)
    backdrop = Backdrop(generator, camera, moving, config.backgrounds)
    blur, noise = generator.uniform(0, 0.6), generator.uniform(0.5, 4.0)
    behind = backdrop.frames()
    for start in range(0, len(actor.joints), _CHUNK):
        part = slice(start, start + _CHUNK)
        view = Camera(
            camera.rotation[part],
            camera.position[part],
            camera.focal[part],
            camera.height,
            camera.width,
        )
        picture = render(actor.vertices[part], garb, [outfit], [light], view)
        for frame, mask in enumerate(picture.mask.numpy()):
            image = _compose(picture, frame, next(behind), light.shadow)
            if config.look == "film":
                image = cv2.GaussianBlur(image, (0, 0), blur + 0.2)
                grain = generator.standard_normal(image.shape, dtype=np.float32)
                image = cv2.scaleAdd(grain, noise, image)
            yield np.clip(image + 0.5, 0, 255).astype(np.uint8), mask


def _compose(
    picture: Picture, frame: int, background: UInt8[np.ndarray, "size size 3"], shadow: float
) -> Float[np.ndarray, "size size 3"]:
    """The person before the background, a soft shadow on the floor [0 to 255]."""
    dark = cv2.GaussianBlur(picture.shadow[frame].numpy(), (0, 0), 1 + len(background) / 128)
    seen = (1 - picture.mask[frame].numpy()) * (1 - 0.7 * shadow * dark)
    return cv2.scaleAdd(picture.colour[frame].numpy(), 255, background * cv2.merge((seen,) * 3))


def detect(
    generator: np.random.Generator, mask: Float[np.ndarray, "size size"]
) -> Float[np.ndarray, "4"] | None:
    """A detector's box (x0, y0, x1, y1) [px]: tight but for some jitter, now and then missing."""
    jitter, missed = generator.normal(0, 0.012, 4), generator.random() < 0.01
    rows, columns = np.nonzero((mask > 0.5).any(1))[0], np.nonzero((mask > 0.5).any(0))[0]
    if missed or len(rows) == 0:
        return None
    box = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float64)
    box += jitter * max(box[2] - box[0], box[3] - box[1])
    return np.clip(box, 0, len(mask))
