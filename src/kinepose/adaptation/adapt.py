"""`adapt`: a model learns from the user's own videos, and is kept only if it got better by it.

A part of every video is held back from training. On it the model is judged, without labels, before
the first iteration and every few of them. RUN always holds the best so far; RUN/training is an
ordinary run, of `train`, that can be resumed.
"""

import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from kinepose.adaptation.acceptance import criteria_of
from kinepose.adaptation.checks import (
    Check,
    best_check,
    describe_adaptation,
    overall_change,
    read_adaptation,
    read_checks,
    summary,
    write_checks,
)
from kinepose.adaptation.config import AdaptConfig
from kinepose.adaptation.held_back import split_clips
from kinepose.artifacts.model_files import choose_device, load_model, save_model
from kinepose.artifacts.run_folder import model_sha256, paints_people, read_run_config
from kinepose.dataset.clip_set import ClipSet, read_clips
from kinepose.dataset.config import PrepareConfig
from kinepose.dataset.prepare import prepare
from kinepose.io.errors import BadInputError, TrainingError
from kinepose.io.files import check_folder, making
from kinepose.io.schema import as_json, differences, write_json
from kinepose.method.config import ModelConfig
from kinepose.method.model import Model
from kinepose.training.checkpoint import Run, trained_with
from kinepose.training.config import PRESETS, TrainConfig
from kinepose.training.train import train
from kinepose.video.people import cropped_as

_AS_BEFORE = (
    *("pixel_weight", "pose_consistency", "appearance_consistency", "unpaired_rate"),
    *("rotation", "crop_jitter", "smallest_gap"),
)
"""Settings that the run has from the one it starts from."""
_AVERAGE = 0.99
"""Decay, in an iteration, of the average of the weights that learn from a teacher."""
_NEVER = 1e6
"""[min]"""
_MADE = ("clips", "training", "held_back")
"""Folders within the output."""
_MAY_CHANGE = ("output", "device", "threads", "workers")


def adapt(config: AdaptConfig) -> None:
    """Prepare the videos, train on most of them, and keep the better of before and after.

    Writes a run; adaptation.json says what it gained. The same seed gives the same weights.

    Raises:
        BadInputError: if the videos give no clips, or tell nothing; if the run to start from cannot
            be read, or has no heatmaps and paints no people; if the output holds something else.
    """
    _check_settings(config)
    if _finished(config):
        print(describe_adaptation(config.output))
        return
    model = load_model(config.start, choose_device(config.device))
    held_back, before = _prepare(config, model)
    checks = [before, *read_checks(config.output, before)]
    settings = _settings(config)
    if best_check(checks) is before:
        _keep(model, config.output, settings, read_run_config(config.start).turns)
    why = _train_and_watch(config, settings, held_back, checks)
    _write_state(config, {"finished": True, "ended": why, **summary(checks)})
    print(describe_adaptation(config.output))


def _prepare(config: AdaptConfig, model: Model) -> tuple[ClipSet, Check]:
    """The frames held back, and what they say of the model before.

    What was made so far goes again if the videos cannot be used, but not what an earlier call left.
    """
    begun = (config.output / "adaptation.json").is_file()
    clips, training, held_back = (config.output / name for name in _MADE)
    seen = model.config.crop_margin
    margin = max(ModelConfig.crop_margin, seen)  # as `prepare` has it: crops are turned and moved
    with making(config.output):
        try:
            _write_state(config, {"finished": False})
            prepare(
                PrepareConfig(
                    videos=config.videos,
                    output=clips,
                    people=cropped_as(config.people, replace(model.config, crop_margin=margin)),
                    backgrounds=config.backgrounds,
                    shortest_clip=config.shortest_clip,
                    largest_invalid=config.largest_invalid,
                    crop_size=math.ceil(model.config.image_size * margin / seen),
                    whole=not model.config.heatmaps,
                    workers=config.workers,
                )
            )
            split_clips(clips, training / "clips", held_back, config.held_back)
            seen = read_clips([held_back], margin=model.config.crop_margin)
            before = Check(0, criteria_of(model, seen))
            _check_criteria(before)
        except BadInputError:
            if not begun:
                (config.output / "adaptation.json").unlink(missing_ok=True)
                for folder in (clips, training, held_back):
                    shutil.rmtree(folder, ignore_errors=True)
            raise
    return seen, before


def _train_and_watch(
    config: AdaptConfig, settings: TrainConfig, held_back: ClipSet, checks: list[Check]
) -> str:
    """Train until nothing better is found; returns why it ended."""
    if _is_patience_over(config, checks):
        return _no_better(config)
    try:
        train(settings, _watcher(config, settings, held_back, checks))
    except TrainingError as error:
        return str(error)
    return _no_better(config) if _is_patience_over(config, checks) else "all iterations were made"


def _watcher(
    config: AdaptConfig, settings: TrainConfig, held_back: ClipSet, checks: list[Check]
) -> Callable[[Run], bool]:
    """Judges the model, keeps it if it is the best, and says whether to go on.

    After a resumption some iterations are made again, and come to what was seen before.
    """

    def watch(run: Run) -> bool:
        if run.step > checks[-1].step:
            checks.append(Check(run.step, criteria_of(run.kept, held_back)))
            if best_check(checks) is checks[-1]:
                _keep(run.kept, config.output, settings, run.turns)
            write_checks(config.output, checks[1:])
            gain = 1 - overall_change(checks[-1], checks[0])
            told = f"{gain:+.1%} better" if math.isfinite(gain) else "as bad as can be"
            tqdm.write(f"after {run.step} iterations: criteria {told}")
        return not _is_patience_over(config, checks)

    return watch


def _is_patience_over(config: AdaptConfig, checks: list[Check]) -> bool:
    return len(checks) - 1 - checks.index(best_check(checks)) >= config.patience


def _no_better(config: AdaptConfig) -> str:
    return f"nothing better was found in {config.patience} checks"


def _settings(config: AdaptConfig) -> TrainConfig:
    """Those of `train`, with losses weighted as in the run it starts from.

    An E_P with heatmaps learns where the frames of a clip agree, by itself as it was, and nothing
    of L_P and L_UNP, by which real people were found no better (docs/results.md).
    """
    before, model = trained_with(config.start), read_run_config(config.start).model
    assert before is not None
    taught = model.heatmaps > 0
    stream = replace(
        PRESETS["kinepose"].stream,
        renders=config.renders if model.extended_camera else 0,
    )
    return replace(
        PRESETS["kinepose"],
        variant="teacher" if taught else "unsupervised",
        output=config.output / "training",
        clips=(config.output / "training" / "clips",),
        start=config.start,
        iterations=config.iterations,
        warm_up=0,
        consistency_from=0,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        cooldown=0.0,
        average=_AVERAGE if taught else 0.0,
        rise=0,
        checkpoint_minutes=_NEVER,
        image_every=config.check_every,
        stream=stream,
        seed=config.seed,
        device=config.device,
        threads=config.threads,
        model=model,
        **{name: getattr(before, name) for name in _AS_BEFORE},
    )


def _check_settings(config: AdaptConfig) -> None:
    check_folder(config.output)
    described = read_run_config(config.start)
    if not described.model.heatmaps and not paints_people(described):
        raise BadInputError(
            f"{config.start} has no heatmaps and paints no people: adapt has nothing to teach it by"
        )
    if trained_with(config.start) is None:
        raise BadInputError(f"{config.start} does not say how it was trained: adapt needs to know")


def _check_criteria(before: Check) -> None:
    told = [v for criteria in before.videos.values() for v in asdict(criteria).values()]
    if all(math.isnan(value) for value in told):
        raise BadInputError("the videos are too short to tell whether a model got better by them")


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
    """What decides the outcome: settings, videos with their sizes, and the model before."""
    settings = {n: value for n, value in as_json(config).items() if n not in _MAY_CHANGE}
    videos = [
        [as_json(Path(path.name)), path.stat().st_size if path.is_file() else 0]
        for path in config.videos
    ]
    return settings | {"videos": videos, "start_sha256": model_sha256(config.start)}


def _write_state(config: AdaptConfig, state: dict[str, Any]) -> None:
    write_json(config.output / "adaptation.json", state | {"settings": _described(config)})


def _keep(model: Model, folder: Path, settings: TrainConfig, turns: Mapping[str, int]) -> None:
    save_model(model, folder, train=settings, turns=dict(turns))
