"""What Python programs call: `kinepose.predict`, `kinepose.load_model`, `kinepose.Poses`."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from kinepose.artifacts.model_files import HUB, choose_device, fetch, push
from kinepose.artifacts.model_files import load_model as load_run
from kinepose.artifacts.pose_files import VideoPoses
from kinepose.inference.config import Format, PredictConfig
from kinepose.inference.export import check_formats, export_poses
from kinepose.inference.predict import find_poses
from kinepose.io.errors import BadInputError
from kinepose.io.files import making
from kinepose.io.places import check_places
from kinepose.io.settings import SHIPPED
from kinepose.method.model import Model
from kinepose.video.config import PeopleConfig

_WRITES = {"output", "formats", "rate", "overlay", "viewer", "overwrite", "detections"}
"""Options of the command that say what it writes."""


@dataclass(frozen=True)
class Poses(VideoPoses):
    """Poses of the people in a video: numpy arrays, one row a person and frame, as in poses.npz."""

    def save(
        self, folder: str | Path, formats: Sequence[Format] = ("npz",), rate: float | None = None
    ) -> list[Path]:
        """Write poses.FORMAT, or for each person track_N.FORMAT, as `kinepose export` does.

        Args:
            folder: made if it is not there; what it holds of these names is replaced.
            formats: of npz, json, csv, bvh, trc and c3d.
            rate: of bvh, trc and c3d [frames a second]; unless told, the video's own mean.

        Raises:
            BadInputError: if there are no poses, or a format cannot hold them.
        """
        folder, wanted = Path(folder), tuple(formats)
        check_formats(wanted, folder)
        with making(folder):
            return export_poses(self, wanted, folder, rate)


def predict(video: str | Path, **options: Any) -> Poses:
    """Find the 3D poses of the people in a video, an image, or a folder of images.

    It is what the command of this name does, and writes nothing.

    Args:
        video: the file or folder.
        **options: the command's, with underscores: `run=Path("run")`, `detector="file"`,
            `boxes=Path("boxes.csv")`, `height=1850.0` [mm], `max_people=1` ... (see
            `kinepose predict --help`), without those that say what is written.

    Raises:
        BadInputError: if the video or the run cannot be read, nobody is found, or an option is out
            of range or unknown.
    """
    of_people = {field.name for field in fields(PeopleConfig)}
    known = {field.name for field in fields(PredictConfig)} - _WRITES - {"video", "people"}
    if unknown := sorted(options.keys() - known - of_people):
        raise BadInputError(f"predict has no option {', '.join(unknown)}")
    people = {name: value for name, value in options.items() if name in of_people}
    others = {name: value for name, value in options.items() if name not in of_people}
    with tempfile.TemporaryDirectory() as folder:
        config = PredictConfig(Path(video), Path(folder), people=PeopleConfig(**people), **others)
        check_places(config)
        return Poses(**vars(find_poses(config)))


def load_model(run: str | Path = SHIPPED, device: str | torch.device = "auto") -> Model:
    """A model in evaluation: `parameters, camera, joints3d, joints2d = model(images)`.

    Args:
        run: a run's folder; `hf://user/repository`, which holds one, from the Hugging Face Hub or
            what is kept of it on this machine; unless told, the package's own model.
        device: cpu, cuda, or auto, which takes cuda where there is one.

    Raises:
        BadInputError: if that is no run, or is of another version, or is not to be had.
    """
    place = fetch(run) if isinstance(run, str) and run.startswith(HUB) else Path(run)
    return load_run(place, choose_device(device) if isinstance(device, str) else device)


def push_to_hub(run: str | Path, address: str, private: bool = True) -> str:
    """Put a run's model on the Hugging Face Hub, where `load_model(address)` finds it.

    The repository holds config.json (paths cut to their ends), model.safetensors and README.md,
    the model card. You must be logged in there (`hf auth login`, or the variable HF_TOKEN).

    Args:
        run: a run's folder, or `shipped`, the package's own model.
        address: `hf://user/repository`, made if it is not there.
        private: whether a repository that is made is seen by you alone.

    Returns:
        The address of what was written, for a browser.

    Raises:
        BadInputError: if that is no run, or the Hub refuses or cannot be reached.
    """
    return push(Path(run), address, private)
