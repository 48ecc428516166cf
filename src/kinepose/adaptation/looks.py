"""What the frames held back say of a model as it learns: the best look, in memory and on disk."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict

from kinepose.adaptation.acceptance import Verdict, change
from kinepose.errors import BadInputError
from kinepose.files import regular_file, replacing
from kinepose.schema import STRICT, Plain, from_json, read_json
from kinepose.settings import Count

LEAST_GAIN = 0.02
"""Of the criteria, for a model to take the place of the one before."""
NOISE = 0.05
"""How much worse a single film may seem in a model that is better on the whole."""
Told = float | Literal["constant"] | None


@dataclass(frozen=True)
class ToldVerdict:
    """A verdict in JSON."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    agreement: Told
    jitter: Told
    fit: Told


@dataclass(frozen=True)
class ToldLook:
    """A line of looks.jsonl."""

    step: Count
    films: dict[str, ToldVerdict]


@dataclass(frozen=True)
class FilmChange:
    """What became of the verdict on a film."""

    before: ToldVerdict
    after: ToldVerdict


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
    films: dict[str, FilmChange] = field(default_factory=dict)


@dataclass(frozen=True)
class Look:
    """What the frames held back say of the model after some iterations."""

    step: int
    films: dict[str, Verdict]


def best_look(looks: list[Look]) -> Look:
    """The best one; the first, unless another is clearly better and makes no film worse."""
    before, best, least = looks[0], looks[0], 1 - LEAST_GAIN
    for look in looks[1:]:
        changes = [change(look.films[film], before.films[film]) for film in before.films]
        if max(changes) <= 1 + NOISE and overall_change(look, before) < least:
            best, least = look, overall_change(look, before)
    return best


def overall_change(after: Look, before: Look) -> float:
    """Geometric mean over the films of how much worse they became: below 1 is better."""
    changes = [change(after.films[film], verdict) for film, verdict in before.films.items()]
    return math.inf if math.inf in changes else math.prod(changes) ** (1 / len(changes))


def summary(looks: list[Look]) -> dict[str, Any]:
    """What adaptation.json says of looks, the first of which is of the model before."""
    best = best_look(looks)
    return {
        "iterations": looks[-1].step,
        "kept": best.step,
        "change": _told(overall_change(best, looks[0])),
        "films": {
            film: {
                "before": _told_verdict(looks[0].films[film]),
                "after": _told_verdict(best.films[film]),
                "change": _told(change(best.films[film], looks[0].films[film])),
            }
            for film in sorted(looks[0].films)
        },
    }


def _told(number: float) -> Told:
    """As JSON has it: null where a film says nothing, and `constant` for poses that are one."""
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
    """What it gained, film by film."""
    held = read_adaptation(run)
    lines = ["| film | | mirror images disagree | jitter / spread | joints on the person |"]
    lines.append("|---" * 5 + "|")
    for film, verdicts in held.films.items():
        for when, verdict in (("before", verdicts.before), ("after", verdicts.after)):
            values = " | ".join(_cell(value) for value in vars(verdict).values())
            lines.append(f"| {film} | {when} | {values} |")
    if held.kept:
        share = f"{1 - _number(held.change):.1%}"
        gain = f"{share} better by these criteria after {held.kept} iterations"
    else:
        gain = f"no better after {held.iterations} iterations: the model stays as it was"
    return "\n".join([*lines, f"{run}: {gain} ({held.ended})"])


def _cell(told: Told) -> str:
    return told if isinstance(told, str) else "-" if told is None else f"{told:.3f}"


def read_looks(folder: Path, before: Look) -> list[Look]:
    """What was seen so far, of the films that were looked at before.

    Raises:
        BadInputError: if a line is broken.
    """
    path = folder / "looks.jsonl"
    looks = []
    for text in regular_file(path).read_bytes().splitlines() if path.exists() else ():
        told = from_json(text, ToldLook, str(path))
        if missing := before.films.keys() - told.films.keys():
            raise BadInputError(f"{path} says nothing of {min(missing)}: name another --output")
        looks.append(Look(told.step, {f: _verdict(told.films[f]) for f in before.films}))
    return looks


def _verdict(told: ToldVerdict) -> Verdict:
    return Verdict(**{name: _number(value) for name, value in vars(told).items()})


def _told_verdict(verdict: Verdict) -> dict[str, Told]:
    return {name: _told(value) for name, value in vars(verdict).items()}


def write_looks(folder: Path, looks: list[Look]) -> None:
    """Write looks.jsonl, a line a look."""
    with replacing(folder / "looks.jsonl") as temporary, temporary.open("w") as file:
        for look in looks:
            films = {film: _told_verdict(verdict) for film, verdict in look.films.items()}
            file.write(json.dumps({"step": look.step, "films": films}, allow_nan=False) + "\n")
