"""24 random people of the stream, two moments of each: python tools/people_sheet.py IMAGE."""

import sys
from pathlib import Path

import cv2
import numpy as np

from kinepose.dataset.backgrounds import training_backgrounds
from kinepose.synthetic.config import SingleImagesConfig
from kinepose.synthetic.single_images import MARGIN, SEQUENCE, render_sequence

ROWS, COLUMNS, SIDE = 6, 8, 160


def main(path: Path) -> None:
    """They are as large as in a crop.

    The images are a little blurred and noisy, as a camera's are.
    """
    generator = np.random.default_rng(0)
    size = round(SIDE * MARGIN)
    people = []
    for number, background in enumerate(training_backgrounds(0, ROWS * COLUMNS, size)):
        if number % 2 == 0:
            renders = render_sequence(SingleImagesConfig(size=size, dressed=1.0), 0, number)
        moment = generator.integers(SEQUENCE)
        seen = 1 - renders.mask[moment, ..., None] / 255
        soft = cv2.GaussianBlur(renders.shadow[moment], (0, 0), 1.5)[..., None] / 255
        image = renders.image[moment] + background * seen * (1 - soft)
        image = cv2.GaussianBlur(image, (0, 0), 0.6) + generator.normal(0, 3, image.shape)
        start = (size - SIDE) // 2
        people.append(image[start : start + SIDE, start : start + SIDE].clip(0, 255))
    rows = np.stack(people).reshape(ROWS, COLUMNS, SIDE, SIDE, 3)
    sheet = rows.transpose(0, 2, 1, 3, 4).reshape(ROWS * SIDE, COLUMNS * SIDE, 3)
    quality = [cv2.IMWRITE_JPEG_QUALITY, 80]
    cv2.imwrite(str(path), sheet[..., ::-1].astype(np.uint8), quality)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
