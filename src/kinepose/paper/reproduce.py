"""The paper's Tables 2, 3 and 4: each row trained with several seeds, scored, and put in one table.

A row is the end of a chain of trainings (stages.py). The base model learns from all clips by
L_prior, L_P and L_UNP; `unsup` goes on from it on the benchmark's own clips by L_prior and L_P, and
`weakly` and `semi` go on from `unsup` with their labels beside these two, as Sec. 4a tells. All
rows have equally many iterations, all stages of a row together, but for `weakly` and `semi`, whose
last stage comes on top. Short rows have a short warm-up too: at most a fifth of a row, and pixels
alone at most half.

Everything is a file under the output folder, runs/STAGE/SEED for what was trained, renders/ for
what all of them see of the preset's stream, if it has one, and scores/ROW_SEED.json for what a run
scored, so that a call goes on where the last one ended; and
reproduction.json says what all rows there have in common, so that none of other settings is added.
"""

from dataclasses import dataclass, replace

from kinepose.dataset.clip_set import read_clips
from kinepose.io.errors import BadInputError
from kinepose.io.files import check_folder
from kinepose.io.schema import as_json, differences, read_json, write_json
from kinepose.paper.config import ReproduceConfig
from kinepose.paper.protocols import Protocol, open_protocol
from kinepose.paper.stages import STAGES
from kinepose.paper.tables import RENDERS, STREAM, SUPERVISION, write_tables
from kinepose.training.checkpoint import is_finished
from kinepose.training.config import OF_LABELS, PRESETS, TrainConfig
from kinepose.training.train import train


def reproduce(config: ReproduceConfig) -> None:
    """Train and score what is missing, row by row, and write tables.md, table.csv and bars.png.

    Raises:
        BadInputError: if there is no such row or preset, the output holds rows of other settings,
            or the data set cannot be used.
        TrainingError: if a run fails; what was finished stays.
    """
    names = config.rows or tuple(SUPERVISION)
    if unknown := [name for name in names if name not in SUPERVISION]:
        raise BadInputError(f"--rows: no {', '.join(unknown)}; all are {', '.join(SUPERVISION)}")
    if config.preset not in PRESETS:
        raise BadInputError(f"no preset {config.preset!r}: {', '.join(PRESETS)}")
    if "unseen" in names and not config.more:
        if config.rows:
            raise BadInputError("the row unseen needs --more: clips of other videos")
        names = tuple(name for name in names if name != "unseen")
    _check_record(config)
    check_folder(config.output)
    if config.more:
        read_clips(config.more)  # only to say what is wrong with them before hours of work
    protocol = open_protocol(config)
    _write_record(config, protocol)
    renders = STREAM if PRESETS[config.preset].stream.renders else RENDERS
    for seed in config.seeds:
        for name in names:
            path = config.output / "scores" / f"{name}_{seed}.json"
            if path.is_file():
                continue
            print(f"{name}, seed {seed}:")
            run = _train(config, protocol, name, seed).output
            scores = protocol.score(run, config.output / "scores" / f"{name}_{seed}")
            write_json(path, scores)
            write_tables(config.output, _about(config, protocol), protocol.baselines(), renders)
    write_tables(config.output, _about(config, protocol), protocol.baselines(), renders)


_RECORD = "reproduction.json"
"""What all rows under an output have in common."""


@dataclass(frozen=True)
class Record:
    """What the rows under an output have in common: one table would show them as equals."""

    benchmark: str
    size: str | None
    preset: str
    iterations: int
    more: tuple[str, ...]
    protocol: str | None = None
    """The benchmark's bytes among it; known once it is open."""


def _check_record(config: ReproduceConfig) -> None:
    """Refuse an output whose rows were made otherwise."""
    path = config.output / _RECORD
    if not path.exists():
        return
    held = as_json(read_json(path, Record))
    if differs := differences(held, as_json(_shared(config)) | {"protocol": held["protocol"]}):
        raise BadInputError(
            f"{config.output} holds rows with {differs[0]}: name another --output, or the same "
            "settings to go on with it"
        )


def _write_record(config: ReproduceConfig, protocol: Protocol) -> None:
    """Say what the rows here have in common.

    Raises:
        BadInputError: if the rows that are there were scored on other bytes.
    """
    path = config.output / _RECORD
    held = read_json(path, Record).protocol if path.exists() else protocol.name
    if held != protocol.name:
        raise BadInputError(
            f"{config.output} holds rows of {held}, not of {protocol.name}: name another --output"
        )
    write_json(path, replace(_shared(config), protocol=protocol.name))


def _shared(config: ReproduceConfig) -> Record:
    """The settings that one table cannot mix; rows and seeds may be added at any time."""
    return Record(
        benchmark=config.benchmark,
        size=config.size if config.benchmark == "synthworld" else None,
        preset=config.preset,
        iterations=config.iterations,
        more=tuple(str(as_json(path)) for path in config.more),
    )


def _train(config: ReproduceConfig, protocol: Protocol, name: str, seed: int) -> TrainConfig:
    """Train a stage, those before it first, where they are not finished; returns its settings."""
    stage = STAGES[name]
    clips = {"all": (*protocol.clips, *config.more), "own": protocol.clips, "other": config.more}
    settings = replace(
        PRESETS[config.preset],
        preset=config.preset,
        output=config.output / "runs" / name / str(seed),
        clips=clips[stage.clips],
        seed=seed,
        iterations=round(stage.share * config.iterations),
        device=config.device,
        threads=config.threads,
        smallest_spread=0.0,  # every row has all its iterations, whatever becomes of it
        **{"variant": "unsupervised"} | stage.settings,
    )
    if settings.stream.renders or settings.stream.poses:
        stream = replace(settings.stream, folder=config.output / "renders")
        settings = replace(settings, stream=stream)
    if settings.variant in OF_LABELS:
        settings = replace(settings, labels=protocol.labels)
    if stage.after is None:
        settings = replace(
            settings,
            model=replace(settings.model, **stage.model),
            warm_up=min(settings.warm_up, config.iterations // 5),
            consistency_from=min(settings.consistency_from, config.iterations // 2),
        )
    else:
        before = _train(config, protocol, stage.after, seed)
        settings = replace(
            settings, model=before.model, start=before.output, warm_up=0, consistency_from=0
        )
    if not is_finished(settings):
        train(settings)
    return settings


def _about(config: ReproduceConfig, protocol: Protocol) -> str:
    return (
        f"{protocol.name}\n\n{protocol.metric}. Preset `{config.preset}`, {config.iterations} "
        "iterations a row, its stages together; weakly and semi go on from unsup for a third as "
        "many."
    )
