"""What is no person: shapes with the surfaces of other places, set into images as people are.

They teach that neither an outline that was set in, nor a pole, nor limbs without a body make a
person. Furniture is in kinepose.detection.furniture.
"""

import cv2
import numpy as np
from jaxtyping import UInt8


def random_thing(
    generator: np.random.Generator, surface: UInt8[np.ndarray, "side side 3"]
) -> UInt8[np.ndarray, "side side 4"]:
    """A blob, a box, or some bars that meet, of this surface: RGB times mask, and mask."""
    side = len(surface)
    mask = np.zeros((side, side), np.uint8)
    kind = generator.integers(4)
    if kind == 0:
        points = side * (0.5 + 0.45 * generator.uniform(-1, 1, (int(generator.integers(4, 9)), 2)))
        cv2.fillPoly(mask, [cv2.convexHull(points.astype(np.int32))], 255, cv2.LINE_AA)
    elif kind == 1:
        size = side * generator.uniform(0.1, 0.7, 2)
        box = ((side / 2, side / 2), tuple(size.tolist()), generator.normal(0, 5))
        cv2.fillPoly(mask, [cv2.boxPoints(box).astype(np.int32)], 255, cv2.LINE_AA)
    elif kind == 2:
        for _ in range(int(generator.integers(2, 6))):
            middle, axes = (
                side * generator.uniform(0.3, 0.7, 2),
                side * generator.uniform(0.04, 0.25, 2),
            )
            angle = generator.uniform(0, 180)
            cv2.ellipse(mask, (tuple(middle), tuple(2 * axes), angle), 255, -1, cv2.LINE_AA)
    else:
        joint = side * generator.uniform(0.2, 0.8, 2)
        for _ in range(int(generator.integers(2, 7))):
            end = joint + side * generator.normal(0, 0.3, 2)
            width = max(1, int(side * generator.uniform(0.02, 0.1)))
            ends = tuple(joint.astype(int).tolist()), tuple(end.astype(int).tolist())
            cv2.line(mask, *ends, 255, width, cv2.LINE_AA)
            joint = joint if generator.random() < 0.5 else end
    return np.dstack([cv2.multiply(surface, cv2.merge([mask] * 3), scale=1 / 255), mask])
