"""The commands: a function each, named after it, with heavy imports inside; and their table."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from kinepose.adaptation.config import AdaptConfig
from kinepose.benchmarks.config import ConvertConfig, SynthworldConfig
from kinepose.dataset.config import PrepareConfig
from kinepose.detection.config import TrainDetectorConfig
from kinepose.evaluation.config import CriteriaConfig, EvaluateConfig, ScoreConfig
from kinepose.inference.config import AppConfig, ExportConfig, ExportOnnxConfig, PredictConfig
from kinepose.io.errors import BadInputError
from kinepose.io.places import Reads
from kinepose.io.schema import Settings
from kinepose.io.settings import Address
from kinepose.paper.config import FiguresConfig, ReproduceConfig
from kinepose.synthetic.config import SynthesizeConfig
from kinepose.training.config import TrainConfig
from kinepose.visualization.config import ReportConfig


@dataclass(frozen=True)
class InfoConfig(Settings):
    """Say what is in a set of clips, a run or a file of poses."""

    path: Annotated[Address, tyro.conf.Positional, Reads()]
    """Where it lies; clips also at an address, as s3://bucket/clips."""


def synthesize(config: SynthesizeConfig) -> None:
    """Render videos of synthetic people."""
    from kinepose.synthetic.synthesize import synthesize

    synthesize(config)


def synthworld(config: SynthworldConfig) -> None:
    """Make the benchmark."""
    from kinepose.benchmarks.synthworld import make_synthworld

    make_synthworld(config)


def convert(config: ConvertConfig) -> None:
    """Lay a benchmark out as videos."""
    from kinepose.benchmarks.convert import convert

    convert(config)


def prepare(config: PrepareConfig) -> None:
    """Cut videos into clips."""
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
    """Train on the user's own videos."""
    from kinepose.adaptation.adapt import adapt

    adapt(config)


def predict(config: PredictConfig) -> None:
    """Find poses in a video, and write the page to look at them."""
    from kinepose.inference.predict import predict

    predict(config)


def app(config: AppConfig) -> None:
    """Serve a page to drop videos on."""
    from kinepose.inference.app import serve

    serve(config)


def export(config: ExportConfig) -> None:
    """Write poses in further formats."""
    from kinepose.inference.export import export

    export(config)


def export_onnx(config: ExportOnnxConfig) -> None:
    """Write a run's pose network as ONNX."""
    from kinepose.inference.onnx import export_onnx
    from kinepose.inference.onnx_detector import export_detector, people_path
    from kinepose.io.files import check_file

    check_file(people_path(config.output))
    export_onnx(config)
    export_detector(config.output)


def evaluate(config: EvaluateConfig) -> None:
    """Score poses."""
    from kinepose.evaluation.evaluate import evaluate

    evaluate(config)


def criteria(config: CriteriaConfig) -> None:
    """Judge poses without labels."""
    from kinepose.evaluation.video_criteria import measure_videos

    measure_videos(config)


def score(config: ScoreConfig) -> None:
    """Score a run on the benchmark."""
    from kinepose.evaluation.score import score

    score(config)


def reproduce(config: ReproduceConfig) -> None:
    """Draw up the paper's tables."""
    from kinepose.paper.reproduce import reproduce

    reproduce(config)


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
    from kinepose.artifacts.run_folder import run_folder

    if isinstance(config.path, str):
        from kinepose.dataset.clip_set import describe_clips

        print(describe_clips(config.path))
        return
    path = run_folder(config.path)
    if (path / "config.json").is_file():
        from kinepose.visualization.report import describe_run as describe
    elif path.suffix == ".npz" or (path / "poses.npz").is_file():
        from kinepose.artifacts.pose_files import describe_poses as describe
    elif path.exists():
        from kinepose.dataset.clip_set import describe_clips as describe
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
    "figures": (figures, FiguresConfig),
    "report": (report, ReportConfig),
    "info": (info, InfoConfig),
}
