"""64 random people from the tests of `synthworld`: python tools/contact_sheet.py BENCHMARK."""

import sys
from pathlib import Path

import cv2
import numpy as np

from kinepose.benchmarks.synthworld import read_synthworld
from kinepose.benchmarks.synthworld_recipes import WORLDS
from kinepose.dataset.clip_set import read_clips
from kinepose.dataset.pairs import load_images

ROWS, COLUMNS, SIDE = 8, 8, 128


def main(benchmark: Path, image: Path) -> None:
    """Writes the sheet: a moment of each video, and of some a second one, in random order."""
    generator = np.random.default_rng(0)
    people, again = [], []
    for test in WORLDS[read_synthworld(benchmark)["version"]].tests:
        clips = read_clips([benchmark / test / "clips"])
        videos = clips.table["video"].to_numpy()
        for video in np.unique(videos):
            early, late = np.array_split(np.flatnonzero(videos == video), 2)
            rows = np.array([generator.choice(early), generator.choice(late)])
            first, second = load_images(clips, rows, SIDE).permute(0, 2, 3, 1).numpy()
            people.append(first)
            again.append(second)
    missing = max(ROWS * COLUMNS - len(people), 0)
    people += [again[i] for i in generator.permutation(len(again))[:missing]]
    order = generator.permutation(len(people))[: ROWS * COLUMNS]
    chosen = np.stack([people[i] for i in order]).reshape(ROWS, COLUMNS, SIDE, SIDE, 3)
    sheet = chosen.transpose(0, 2, 1, 3, 4).reshape(ROWS * SIDE, COLUMNS * SIDE, 3)
    cv2.imwrite(str(image), (255 * sheet[..., ::-1]).astype(np.uint8))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
