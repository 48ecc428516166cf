"""How well people are found and followed: python tools/detection.py [options], prints a table.

--images FOLDER --boxes CSV: images, each with the box of one person (columns frame, x0, ...).
--videos VIDEO...: videos in which two people are in view from beginning to end.
--detectors NAME...: which detectors; `people` by the package's weights, or --weights FILE.
False finds are counted in 100 views of the package's places that nothing trains on.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tyro

from kinepose.detection.finding import Answer, find_people_closely, torch_answer
from kinepose.detection.weights import SHIPPED_DETECTOR, load_detector
from kinepose.geometry.boxes import overlaps
from kinepose.io.errors import BadInputError
from kinepose.method.config import ModelConfig
from kinepose.synthetic.places import random_view, test_places
from kinepose.video.config import Detector, PeopleConfig
from kinepose.video.finders import sure_score
from kinepose.video.people import Survey, cropped_as, people_in_video

VIEWS, VIEW_SIDE = 100, 256
FOUND = 0.5
"""Intersection over union of a box with the one that is given."""
_SIDES = ("x0", "y0", "x1", "y1")
WHOLE = 0.9
"""Share of a video's frames in which somebody is followed who is followed throughout."""


@dataclass(frozen=True)
class Settings:
    """What to measure."""

    images: Path | None = None
    boxes: Path | None = None
    videos: tuple[Path, ...] = ()
    detectors: tuple[Detector, ...] = ("people", "motion")
    weights: Path = SHIPPED_DETECTOR
    threshold: float | None = None
    each: bool = False
    """Whether to print a line for each video."""


def main(settings: Settings) -> None:
    """Print what was asked for."""
    answer = torch_answer(load_detector(settings.weights))
    if settings.images is not None and settings.boxes is not None:
        found, finds = recall(settings, settings.images, settings.boxes, answer)
        print(f"images: {100 * found:.1f} % of the people found, {finds:.2f} finds an image")
    print(f"false finds in {VIEWS} views of empty places: {false_finds(settings, answer)}")
    for detector in settings.detectors if settings.videos else ():
        config = PeopleConfig(detector, detector_threshold=settings.threshold)
        shares = [two_people(video, config, answer, settings.each) for video in settings.videos]
        whole, frames = np.array(shares, float).mean(0)
        print(
            f"videos by {detector}: of {len(shares)} {100 * whole:.0f} % with two whole tracks, "
            f"two people in {100 * frames:.1f} % of the frames"
        )


def recall(settings: Settings, images: Path, boxes: Path, answer: Answer) -> tuple[float, float]:
    """Share of the people found, and how many finds there are in an image."""
    survey = survey_of(images, PeopleConfig(detector_threshold=settings.threshold), answer)
    with boxes.open(newline="") as file:
        rows = list(csv.DictReader(file))
    given = {int(row["frame"]): [float(row[side]) for side in _SIDES] for row in rows}
    best, finds = dict.fromkeys(given, 0.0), 0
    for track in () if survey is None else survey.tracks:
        for frame, box in zip(track.frames.tolist(), track.boxes, strict=True):
            finds += 1
            shared = overlaps(box[None], np.array([given[frame]]))[0, 0]
            best[frame] = max(best[frame], float(shared))
    return float(np.mean(np.array([*best.values()]) > FOUND)), finds / len(given)


def false_finds(settings: Settings, answer: Answer) -> int:
    """In views of places where nobody is."""
    generator = np.random.default_rng(7)
    threshold = sure_score(PeopleConfig(detector_threshold=settings.threshold))
    places = test_places()
    count = 0
    for number in range(VIEWS):
        view = random_view(generator, places[number % len(places)], VIEW_SIDE, VIEW_SIDE)
        count += len(find_people_closely(answer, view, threshold))
    return count


def two_people(video: Path, config: PeopleConfig, answer: Answer, say: bool) -> tuple[bool, float]:
    """Whether exactly two are followed throughout, and the share of frames that show two."""
    survey = survey_of(video, config, answer)
    if survey is None:
        shares, two = [], 0.0
    else:
        count = len(survey.frames)
        shares = [len(track.frames) / count for track in survey.tracks]
        seen = np.concatenate([track.frames for track in survey.tracks])
        two = float((np.bincount(seen, minlength=count) == 2).mean())
    whole = len(shares) == 2 and min(shares) >= WHOLE
    if say:
        print(f"  {video.stem:<14} {'whole' if whole else '     '} {two:.2f} {np.round(shares, 2)}")
    return whole, two


def survey_of(video: Path, config: PeopleConfig, answer: Answer) -> Survey | None:
    """Who is found, if anybody."""
    try:
        return people_in_video(video, cropped_as(config, ModelConfig()), answer=answer)
    except BadInputError:
        return None


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main(tyro.cli(Settings))
