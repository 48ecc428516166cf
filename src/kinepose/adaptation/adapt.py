"""`adapt`: a model learns from the user's own films, and is kept only if it got better by it.

A part of every film is held back from training. On it the model is judged, without labels, before
the first iteration and every few of them. RUN always holds the best so far; RUN/training is an
ordinary run, of `train`, that can be resumed.
"""

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool, Float, Int
from pydantic import ConfigDict
from tqdm import tqdm

from kinepose.adaptation.acceptance import Verdict, change, judge
from kinepose.adaptation.config import AdaptConfig
from kinepose.dataset.config import PrepareConfig
from kinepose.dataset.pairs import ClipSet, read_clips
from kinepose.dataset.prepare import prepare
from kinepose.errors import BadInputError, TrainingError
from kinepose.files import check_folder, making, regular_file, replacing
from kinepose.method.model import Model
from kinepose.model_files import choose_device, load_model, save_model
from kinepose.run_folder import model_sha256, paints_people, read_run_config
from kinepose.schema import STRICT, as_json, differences, from_json, read_json, write_json
from kinepose.settings import Count
from kinepose.training.checkpoint import Run, trained_with
from kinepose.training.config import PRESETS, TrainConfig
from kinepose.training.train import train
from kinepose.video.people import cropped_as

BLOCK = 1.0
"""Length of a part that is held back [s]; of short films it is shorter, but at least SHORTEST."""
SHORTEST = 0.7
MOST_HELD_BACK = 600
"""Frames of all films together, so that a look at them takes seconds."""
LEAST_GAIN = 0.02
"""Of the criteria, for a model to take the place of the one before."""
NOISE = 0.05
"""How much worse a single film may seem in a model that is better on the whole."""
_AS_BEFORE = (
    *("pixel_weight", "pose_consistency", "appearance_consistency", "unpaired_rate"),
    *("rotation", "crop_jitter", "smallest_gap"),
)
"""Settings that the run has from the one it starts from."""
_NEVER = 1e6
"""[min]"""
_MADE = ("clips", "training", "held_back")
"""Folders within the output."""
_MAY_CHANGE = ("output", "device", "threads", "workers")


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
    settings: dict[str, Any]
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


def adapt(config: AdaptConfig) -> None:
    """Prepare the films, train on most of them, and keep the better of before and after.

    Writes a run; adaptation.json says what it gained. The same seed gives the same weights.

    Raises:
        BadInputError: if the films give no clips, or tell nothing; if the run to start from cannot
            be read or paints no people; if the output holds something else.
    """
    _check_settings(config)
    if _finished(config):
        print(describe_adaptation(config.output))
        return
    model = load_model(config.start, choose_device(config.device))
    held_back, before = _prepare(config, model)
    looks = [before, *_read_looks(config.output, before)]
    settings = _settings(config)
    if best_look(looks) is before:
        _keep(model, config.output, settings)
    why = _train_and_watch(config, settings, held_back, looks)
    _write_state(config, {"finished": True, "ended": why, **_summary(looks)})
    print(describe_adaptation(config.output))


def _prepare(config: AdaptConfig, model: Model) -> tuple[ClipSet, Look]:
    """The frames held back, and what they say of the model before.

    What was made so far goes again if the films cannot be used, but not what an earlier call left.
    """
    begun = (config.output / "adaptation.json").is_file()
    clips, training, held_back = (config.output / name for name in _MADE)
    with making(config.output):
        try:
            _write_state(config, {"finished": False})
            prepare(
                PrepareConfig(
                    films=config.films,
                    output=clips,
                    people=cropped_as(config.people, model.config),
                    backgrounds=config.backgrounds,
                    shortest_clip=config.shortest_clip,
                    largest_invalid=config.largest_invalid,
                    crop_size=model.config.image_size,
                    workers=config.workers,
                )
            )
            split_clips(clips, training / "clips", held_back, config.held_back)
            seen = read_clips([held_back], margin=model.config.crop_margin)
            before = Look(0, judge(model, seen))
            _check_verdicts(before)
        except BadInputError:
            if not begun:
                (config.output / "adaptation.json").unlink(missing_ok=True)
                for folder in (clips, training, held_back):
                    shutil.rmtree(folder, ignore_errors=True)
            raise
    return seen, before


def _train_and_watch(
    config: AdaptConfig, settings: TrainConfig, held_back: ClipSet, looks: list[Look]
) -> str:
    """Train until nothing better is found; returns why it ended."""
    if _is_patience_over(config, looks):
        return _no_better(config)
    try:
        train(settings, _watcher(config, settings, held_back, looks))
    except TrainingError as error:
        return str(error)
    return _no_better(config) if _is_patience_over(config, looks) else "all iterations were made"


def _watcher(
    config: AdaptConfig, settings: TrainConfig, held_back: ClipSet, looks: list[Look]
) -> Callable[[Run], bool]:
    """Judges the model, keeps it if it is the best, and says whether to go on.

    After a resumption some iterations are made again, and come to what was seen before.
    """

    def watch(run: Run) -> bool:
        if run.step > looks[-1].step:
            looks.append(Look(run.step, judge(run.model, held_back)))
            if best_look(looks) is looks[-1]:
                _keep(run.model, config.output, settings)
            _write_looks(config.output, looks[1:])
            gain = 1 - overall_change(looks[-1], looks[0])
            tqdm.write(f"after {run.step} iterations: criteria {gain:+.1%} better")
        return not _is_patience_over(config, looks)

    return watch


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


def _is_patience_over(config: AdaptConfig, looks: list[Look]) -> bool:
    return len(looks) - 1 - looks.index(best_look(looks)) >= config.patience


def _no_better(config: AdaptConfig) -> str:
    return f"nothing better was found in {config.patience} looks"


def split_clips(clips: Path, training: Path, held_back: Path, share: float) -> None:
    """Divide prepared clips into what training sees and what it does not.

    Raises:
        BadInputError: if the clips cannot be read.
    """
    everything = read_clips([clips]).table
    share = min(share, MOST_HELD_BACK / len(everything))
    films = everything["film"].to_numpy()
    for name in np.unique(films):
        film = everything.filter(pa.array(films == name))
        clock = running_time(*(film[c].to_numpy() for c in ("clip", "track", "time")))
        held = is_held_back(clock, share)
        for folder, chosen in ((training, ~held), (held_back, held)):
            with replacing(folder / f"{Path(name).stem}.parquet") as temporary:
                pq.write_table(film.filter(pa.array(chosen)), temporary, compression="zstd")


def running_time(
    clip: Int[np.ndarray, " rows"],
    track: Int[np.ndarray, " rows"],
    time: Float[np.ndarray, " rows"],
) -> Float[np.ndarray, " rows"]:
    """Time that people were seen before each row [s]: one person's clip after the other."""
    starts = np.append(True, (np.diff(clip) != 0) | (np.diff(track) != 0))
    steps = np.append(0.0, np.diff(time))
    return np.cumsum(np.where(starts, 0.0, steps))


def is_held_back(clock: Float[np.ndarray, " rows"], share: float) -> Bool[np.ndarray, " rows"]:
    """Blocks evenly spread over a film, each in the middle of a stretch that training sees."""
    length = float(clock[-1])
    block = min(BLOCK, max(SHORTEST, share * length))
    period = min(block / share, length) or 1.0
    place = clock % period
    return (place >= (period - block) / 2) & (place < (period + block) / 2)


def _settings(config: AdaptConfig) -> TrainConfig:
    """Those of `train`, with losses weighted as in the run it starts from."""
    before, model = trained_with(config.start), read_run_config(config.start).model
    assert before is not None
    stream = replace(
        PRESETS["kinepose"].stream,
        renders=config.renders if model.extended_camera else 0,
        poses=0,  # the lifter has learnt from them; making them anew takes minutes
    )
    return replace(
        PRESETS["kinepose"],
        variant="unsupervised",
        output=config.output / "training",
        clips=(config.output / "training" / "clips",),
        start=config.start,
        iterations=config.iterations,
        warm_up=0,
        consistency_from=0,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        cooldown=0.0,
        average=0.0,
        rise=0,
        checkpoint_minutes=_NEVER,
        picture_every=config.check_every,
        stream=stream,
        seed=config.seed,
        device=config.device,
        threads=config.threads,
        model=model,
        **{name: getattr(before, name) for name in _AS_BEFORE},
    )


def _check_settings(config: AdaptConfig) -> None:
    check_folder(config.output)
    if not paints_people(read_run_config(config.start)):
        raise BadInputError(
            f"{config.start} paints no people: adapt needs a run whose D_I was trained on films"
        )
    if trained_with(config.start) is None:
        raise BadInputError(f"{config.start} does not say how it was trained: adapt needs to know")


def _check_verdicts(before: Look) -> None:
    told = [v for verdict in before.films.values() for v in asdict(verdict).values()]
    if all(math.isnan(value) for value in told):
        raise BadInputError("the films are too short to tell whether a model got better by them")


def _finished(config: AdaptConfig) -> bool:
    """Whether the output holds this adaptation, finished.

    Raises:
        BadInputError: if it holds something else.
    """
    path = config.output / "adaptation.json"
    if not path.is_file():
        if (config.output / "config.json").is_file():
            raise BadInputError(f"{config.output} holds another run: name another --output")
        if taken := [name for name in _MADE if (config.output / name).exists()]:
            raise BadInputError(
                f"{config.output} holds {taken[0]} of something else: name another --output"
            )
        return False
    held, wanted = read_adaptation(config.output), _described(config)
    if differs := differences(held.settings, wanted):
        raise BadInputError(
            f"{config.output} holds an adaptation with {differs[0]}: name another --output, or the "
            "same settings to go on with it"
        )
    return held.finished


def _described(config: AdaptConfig) -> dict[str, Any]:
    """What decides the outcome: settings, films with their sizes, and the model before."""
    settings = {n: value for n, value in as_json(config).items() if n not in _MAY_CHANGE}
    films = [
        [as_json(Path(path.name)), path.stat().st_size if path.is_file() else 0]
        for path in config.films
    ]
    return settings | {"films": films, "start_sha256": model_sha256(config.start)}


def _write_state(config: AdaptConfig, state: dict[str, Any]) -> None:
    write_json(config.output / "adaptation.json", state | {"settings": _described(config)})


def _summary(looks: list[Look]) -> dict[str, Any]:
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


def _keep(model: Model, folder: Path, settings: TrainConfig) -> None:
    save_model(model, folder, train=settings)


def _read_looks(folder: Path, before: Look) -> list[Look]:
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


def _write_looks(folder: Path, looks: list[Look]) -> None:
    with replacing(folder / "looks.jsonl") as temporary, temporary.open("w") as file:
        for look in looks:
            films = {film: _told_verdict(verdict) for film, verdict in look.films.items()}
            file.write(json.dumps({"step": look.step, "films": films}, allow_nan=False) + "\n")
