"""The command line: one function a command, named after it; heavy imports inside."""

import contextlib
import io
import itertools
import os
import re
import sys
import warnings
from collections.abc import Generator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import tyro

from kinepose.detection.config import TrainDetectorConfig
from kinepose.errors import BadInputError, FilmWarning, KineposeError, SettingError
from kinepose.places import check_places
from kinepose.settings import (
    PRESETS,
    AdaptConfig,
    AppConfig,
    ConvertConfig,
    CriteriaConfig,
    EvaluateConfig,
    ExportConfig,
    ExportOnnxConfig,
    FiguresConfig,
    InfoConfig,
    PredictConfig,
    PrepareConfig,
    ReportConfig,
    ReproduceConfig,
    ScoreConfig,
    ShipConfig,
    SynthesizeConfig,
    SynthworldConfig,
    TrainConfig,
)

BUG = 70
"""Exit status where we are to blame: sysexits' EX_SOFTWARE."""
LONGEST_LINE = 600
"""Letters of what is said of an error; of more, which only names can cause, the ends."""


def synthesize(config: SynthesizeConfig) -> None:
    """Film synthetic people."""
    from kinepose.synthetic.synthesize import synthesize

    synthesize(config)


def synthworld(config: SynthworldConfig) -> None:
    """Make the benchmark."""
    from kinepose.benchmarks.synthworld import make_synthworld

    make_synthworld(config)


def convert(config: ConvertConfig) -> None:
    """Lay a benchmark out as films."""
    from kinepose.benchmarks.convert import convert

    convert(config)


def prepare(config: PrepareConfig) -> None:
    """Cut films into clips."""
    from kinepose.dataset.prepare import prepare

    prepare(config)


def train(config: TrainConfig) -> None:
    """Train a model, and score the renders it had to learn by heart if that was the task."""
    from kinepose.training.train import train

    train(config)
    if config.overfit:
        from kinepose.evaluation.evaluate import score_overfit

        scores = score_overfit(config.output)
        print(", ".join(f"{name} {value:.1f} mm" for name, value in scores.items()))


def train_detector(config: TrainDetectorConfig) -> None:
    """Train what finds people."""
    from kinepose.detection.training import train_detector

    train_detector(config)


def adapt(config: AdaptConfig) -> None:
    """Train on the user's own films."""
    from kinepose.adaptation.adapt import adapt

    adapt(config)


def predict(config: PredictConfig) -> None:
    """Find poses in a film, and write the page to look at them."""
    from kinepose.inference.predict import predict

    predict(config)


def app(config: AppConfig) -> None:
    """Serve a page to drop films on."""
    from kinepose.inference.app import serve

    serve(config)


def export(config: ExportConfig) -> None:
    """Write poses in further formats."""
    from kinepose.inference.export import export

    export(config)


def export_onnx(config: ExportOnnxConfig) -> None:
    """Write a run's pose network as ONNX."""
    from kinepose.inference.onnx import export_onnx
    from kinepose.inference.onnx_detector import export_detector

    export_onnx(config)
    export_detector(config.output)


def evaluate(config: EvaluateConfig) -> None:
    """Score poses."""
    from kinepose.evaluation.evaluate import evaluate

    evaluate(config)


def criteria(config: CriteriaConfig) -> None:
    """Judge poses without labels."""
    from kinepose.evaluation.video_criteria import judge_films

    judge_films(config)


def score(config: ScoreConfig) -> None:
    """Score a run on the benchmark."""
    from kinepose.evaluation.score import score

    score(config)


def reproduce(config: ReproduceConfig) -> None:
    """Draw up the paper's tables."""
    from kinepose.paper.reproduce import reproduce

    reproduce(config)


def ship(config: ShipConfig) -> None:
    """Put a run's model into the package."""
    from kinepose.release import ship

    ship(config)


def figures(config: FiguresConfig) -> None:
    """Draw a scored run."""
    from kinepose.paper.figures import draw_figures

    draw_figures(config)


def report(config: ReportConfig) -> None:
    """Draw a run."""
    from kinepose.visualization.report import write_report

    write_report(config)


def info(config: InfoConfig) -> None:
    """Describe a set of clips, a run or a file of poses."""
    from kinepose.run_folder import run_folder

    if isinstance(config.path, str):
        from kinepose.dataset.pairs import describe_clips

        print(describe_clips(config.path))
        return
    path = run_folder(config.path)
    if (path / "config.json").is_file():
        from kinepose.visualization.report import describe_run as describe
    elif path.suffix == ".npz" or (path / "poses.npz").is_file():
        from kinepose.pose_files import describe_poses as describe
    elif path.exists():
        from kinepose.dataset.pairs import describe_clips as describe
    else:
        raise BadInputError(f"no such file or folder: {path}")
    print(describe(path))


COMMANDS = {
    "synthesize": (synthesize, SynthesizeConfig),
    "synthworld": (synthworld, SynthworldConfig),
    "convert": (convert, ConvertConfig),
    "prepare": (prepare, PrepareConfig),
    "train": (train, TrainConfig),
    "train-detector": (train_detector, TrainDetectorConfig),
    "adapt": (adapt, AdaptConfig),
    "predict": (predict, PredictConfig),
    "app": (app, AppConfig),
    "export": (export, ExportConfig),
    "export-onnx": (export_onnx, ExportOnnxConfig),
    "evaluate": (evaluate, EvaluateConfig),
    "criteria": (criteria, CriteriaConfig),
    "score": (score, ScoreConfig),
    "reproduce": (reproduce, ReproduceConfig),
    "ship": (ship, ShipConfig),
    "figures": (figures, FiguresConfig),
    "report": (report, ReportConfig),
    "info": (info, InfoConfig),
}


def main() -> None:
    """Run the command of sys.argv; what the user did wrong is one line and status 2."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files are bytes
    if not sys.stderr.isatty():
        os.environ.setdefault("TQDM_DISABLE", "1")  # no bars in files; the app wants them, and says
    words = sys.argv[1:]
    if not words or words[0] in ("-h", "--help"):
        print(_usage())
        return
    if words[0] not in COMMANDS:
        _fail(f"no command {words[0]!r}: {', '.join(COMMANDS)}")
    function, settings = COMMANDS[words[0]]
    try:
        with _warnings_in_one_line():
            config = _parse(words[0], settings, words[1:])
            check_places(config)
            function(config)
    except KineposeError as error:
        _fail(str(error))
    except OSError as error:
        where = error.filename2 or error.filename  # of two, the one that was wanted
        _fail(f"{error.strerror or error}{f': {os.fsdecode(where)}' if where else ''}")
    except KeyboardInterrupt:
        _fail("interrupted")
    except MemoryError:
        _fail(f"{words[0]}: there is not enough memory for this")
    except Exception:
        from kinepose.bug_report import write_bug_report

        _fail(f"this is a bug; please send its developers {write_bug_report(words)}", BUG)


@contextlib.contextmanager
def _warnings_in_one_line() -> Generator[None]:
    """What is wrong with a film is said as errors are, and once, however often it is decoded."""
    said, others = set(), warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any) -> None:
        if not issubclass(category, FilmWarning):
            others(message, category, *where)
        elif str(message) not in said:
            said.add(str(message))
            from tqdm import tqdm

            tqdm.write(f"kinepose: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.showwarning = show  # ty: ignore[invalid-assignment]
        yield


def _parse(command: str, settings: type, words: list[str]) -> Any:
    options: dict[str, Any] = {}
    if option := _empty(words):
        _fail(f"{option} is empty (kinepose {command} --help)")
    if settings is TrainConfig:
        options["default"] = _defaults(words)
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(settings, args=words, prog=f"kinepose {command}", **options)
    except SystemExit as stop:
        if stop.code:
            _fail(f"{_first_paragraph(complaint.getvalue())} (kinepose {command} --help)")
        raise
    except SettingError as error:
        option = _option(error.setting, words)
        _fail(f"{option} {error.reason} (kinepose {command} --help)")


def _empty(words: list[str]) -> str | None:
    """The first option whose value is empty: nothing is called so, and a path would be this folder."""
    for before, word in pairwise(["", *words]):
        option, equals, value = word.partition("=")
        if not word:
            return before if before.startswith("--") else "a name"
        if option.startswith("--") and equals and not value:
            return option
    return None


def _option(setting: str, words: list[str]) -> str:
    """The option of a setting, with what stands before its name if it was given so."""
    name = setting.split(".")[0].replace("_", "-")
    given = (word.partition("=")[0] for word in words if word.startswith("--"))
    return next((option for option in given if option.endswith(f".{name}")), f"--{name}")


def _first_paragraph(box: str) -> str:
    """What tyro says above the first rule of its box, without the types of Python."""
    lines = [line.strip("│╭╮╰╯ ") for line in box.splitlines()[1:]]
    text = " ".join(itertools.takewhile(lambda line: not line.startswith("─"), lines))
    return re.sub(r" into tuple type .*", "", text)


def _defaults(words: list[str]) -> TrainConfig:
    """Of all other settings, by the preset, and of the model, by the run to start from."""
    preset, start = _named(words, "--preset") or "cpu", _named(words, "--start")
    if preset not in PRESETS:
        _fail(f"no preset {preset!r}: {', '.join(PRESETS)}")
    defaults = PRESETS[preset]
    if start is None:
        return defaults
    from kinepose.run_folder import read_run_config

    return replace(defaults, model=read_run_config(Path(start)).model)


def _named(words: list[str], option: str) -> str | None:
    """What an option is on the command line."""
    for i, word in enumerate(words):
        if word == option and i + 1 < len(words):
            return words[i + 1]
        if word.startswith(f"{option}="):
            return word.split("=", 1)[1]
    return None


def _usage() -> str:
    lines = ["usage: kinepose COMMAND ...    (kinepose COMMAND --help for its settings)", ""]
    for name, (_, settings) in COMMANDS.items():
        summary, *_ = (settings.__doc__ or "").splitlines()
        lines.append(f"  {name:<16}{summary}")
    return "\n".join(lines)


def _fail(message: str, status: int = 2) -> None:
    line = " ".join(message.split())
    if len(line) > LONGEST_LINE:
        line = f"{line[: LONGEST_LINE // 2]} ... {line[-LONGEST_LINE // 2 :]}"
    print(f"kinepose: {line}", file=sys.stderr)
    raise SystemExit(status)
