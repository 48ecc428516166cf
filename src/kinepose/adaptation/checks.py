"""What the frames held back say of a model as it learns: the best check, in memory and on disk."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict

from kinepose.adaptation.acceptance import Criteria, change
from kinepose.io.errors import BadInputError
from kinepose.io.files import read_whole, replacing
from kinepose.io.schema import STRICT, Plain, from_json, read_json
from kinepose.io.settings import Count

LEAST_GAIN = 0.1
"""Of the criteria, for a model to take the place of the one before: where they say less they are
often wrong (docs/data.md)."""
NOISE = 0.05
"""How much worse a single video may seem in a model that is better on the whole."""
Told = float | Literal["constant"] | None


@dataclass(frozen=True)
class ToldCriteria:
    """Criteria in JSON."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    jitter: Told
    fit: Told


@dataclass(frozen=True)
class ToldCheck:
    """A line of checks.jsonl."""

    step: Count
    videos: dict[str, ToldCriteria]


@dataclass(frozen=True)
class VideoChange:
    """What became of the criteria of a video."""

    before: ToldCriteria
    after: ToldCriteria


@dataclass(frozen=True)
class Adaptation:
    """adaptation.json: whether it is finished, by which settings, and if so what it gained."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    finished: bool
    settings: Plain
    ended: str = ""
    iterations: Count = 0
    kept: Count = 0
    change: Told = None
    videos: dict[str, VideoChange] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """What the frames held back say of the model after some iterations."""

    step: int
    videos: dict[str, Criteria]


def best_check(checks: list[Check]) -> Check:
    """The best one; the first, unless another is clearly better and makes no video worse."""
    before, best, least = checks[0], checks[0], 1 - LEAST_GAIN
    for check in checks[1:]:
        changes = [change(check.videos[video], before.videos[video]) for video in before.videos]
        if max(changes) <= 1 + NOISE and overall_change(check, before) < least:
            best, least = check, overall_change(check, before)
    return best


def overall_change(after: Check, before: Check) -> float:
    """Geometric mean over the videos of how much worse they became: below 1 is better."""
    changes = [change(after.videos[video], criteria) for video, criteria in before.videos.items()]
    return math.inf if math.inf in changes else math.prod(changes) ** (1 / len(changes))


def summary(checks: list[Check]) -> dict[str, Any]:
    """What adaptation.json says of checks, the first of which is of the model before."""
    best = best_check(checks)
    return {
        "iterations": checks[-1].step,
        "kept": best.step,
        "change": _told(overall_change(best, checks[0])),
        "videos": {
            video: {
                "before": _told_criteria(checks[0].videos[video]),
                "after": _told_criteria(best.videos[video]),
                "change": _told(change(best.videos[video], checks[0].videos[video])),
            }
            for video in sorted(checks[0].videos)
        },
    }


def _told(number: float) -> Told:
    """As JSON has it: null where a video says nothing, and `constant` for poses that are one."""
    return None if math.isnan(number) else "constant" if math.isinf(number) else number


def _number(told: Told) -> float:
    """The inverse of _told."""
    return math.nan if told is None else math.inf if told == "constant" else float(told)


def read_adaptation(run: Path) -> Adaptation:
    """adaptation.json of a run.

    Raises:
        BadInputError: if it is broken.
    """
    return read_json(run / "adaptation.json", Adaptation)


def describe_adaptation(run: Path) -> str:
    """What it gained, video by video."""
    held = read_adaptation(run)
    lines = ["| video | | jitter / spread | joints on the person |", f"{'|---' * 4}|"]
    for video, changed in held.videos.items():
        for when, criteria in (("before", changed.before), ("after", changed.after)):
            values = " | ".join(_cell(value) for value in vars(criteria).values())
            lines.append(f"| {video} | {when} | {values} |")
    if held.kept:
        share = f"{1 - _number(held.change):.1%}"
        gain = f"{share} better by these criteria after {held.kept} iterations"
    else:
        gain = f"no better after {held.iterations} iterations: the model stays as it was"
    return "\n".join([*lines, f"{run}: {gain} ({held.ended})"])


def _cell(told: Told) -> str:
    return told if isinstance(told, str) else "-" if told is None else f"{told:.3f}"


def read_checks(folder: Path, before: Check) -> list[Check]:
    """What was seen so far, of the videos that were looked at before.

    Raises:
        BadInputError: if a line is broken.
    """
    path = folder / "checks.jsonl"
    checks = []
    for text in read_whole(path).splitlines() if path.exists() else ():
        told = from_json(text, ToldCheck, str(path))
        if missing := before.videos.keys() - told.videos.keys():
            raise BadInputError(f"{path} says nothing of {min(missing)}: name another --output")
        checks.append(Check(told.step, {f: _criteria(told.videos[f]) for f in before.videos}))
    return checks


def _criteria(told: ToldCriteria) -> Criteria:
    return Criteria(**{name: _number(value) for name, value in vars(told).items()})


def _told_criteria(criteria: Criteria) -> dict[str, Told]:
    return {name: _told(value) for name, value in vars(criteria).items()}


def write_checks(folder: Path, checks: list[Check]) -> None:
    """Write checks.jsonl, a line a check."""
    with replacing(folder / "checks.jsonl") as temporary, temporary.open("w") as file:
        for check in checks:
            videos = {video: _told_criteria(criteria) for video, criteria in check.videos.items()}
            file.write(json.dumps({"step": check.step, "videos": videos}, allow_nan=False) + "\n")
