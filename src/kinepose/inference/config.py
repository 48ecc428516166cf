"""Settings of `predict`, `app` and the exports; nothing here imports torch."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro
from annotated_types import Interval, Len

from kinepose.geometry.agreement import WINDOW
from kinepose.io.places import RESULTS, RUN, Reads, Writes
from kinepose.io.schema import Settings
from kinepose.io.settings import SHIPPED, Device, Positional, Seconds
from kinepose.video.config import PeopleConfig

Format = Literal["npz", "json", "csv", "bvh", "trc", "c3d"]


@dataclass(frozen=True)
class PredictConfig(Settings):
    """Find the 3D poses of the people in a video, an image, or a folder of images."""

    video: Annotated[Positional, Reads()]
    """A video, an image, or a folder of images, which are taken one by one in natural order."""
    output: Annotated[Path, Writes(RESULTS)]
    """Folder for poses.npz, overlay.mp4, viewer.html and what else --formats names."""
    run: Annotated[Path, RUN] = SHIPPED
    """Folder of a trained run; unless told, the package's own model."""
    people: tyro.conf.OmitArgPrefixes[PeopleConfig] = field(default_factory=PeopleConfig)
    height: Annotated[float, Interval(ge=1.0, le=1e6)] = 1700.0
    """Length of the chain of stature (shin, thigh, trunk, neck to nose, nose to top) [mm]."""
    focal: Annotated[float, Interval(ge=1.0, le=1e6)] | None = None
    """Focal length of the video's camera [px of the video]; unless told, the image's diagonal."""
    formats: tuple[Format, ...] = ("npz",)
    """What to write the poses in. poses.npz is always written; bvh, trc and c3d (which needs
    kinepose[formats]) are one file a person."""
    rate: Annotated[float, Interval(ge=0.01, le=10_000.0)] | None = None
    """Frames a second of bvh, trc and c3d, which know an even pace alone; unless told, the video's
    own, or their mean where its frames come unevenly."""
    pose_smoothing: Annotated[float, Interval(ge=0.0, le=10.0)] = 0.3
    """Window of the filter (Savitzky-Golay, second order, no lag) that smooths the poses of videos
    over time [s]; 0 leaves them alone."""
    lift_window: Annotated[float, Interval(ge=0.0, le=2.0)] = WINDOW
    """Standard deviation, in time, of the frames of a video that say together where a joint is in
    2D, by how certain they are and how well they agree; these places are then lifted to 3D anew
    [s]. Swings faster than twice a second lose height by it: 0.08 with --pose-rate 0 is for those.
    0 takes every frame by itself; models without heatmaps always do."""
    pose_rate: Annotated[float, Interval(ge=0.0, le=10_000.0)] = 10.0
    """How many frames of each second of a video, at most, E_P looks at where its poses are lifted
    over time; the parabolas of --lift-window say what lies between, in less time. 0 is all."""
    views: Annotated[int, Interval(ge=0, le=6)] = 0
    """In how many ways E_P looks at each crop: its mirror image and other sizes of it; the heatmaps
    of all are averaged, and each is the whole work again. 0: a photograph in 6, a video in 2.
    With --onnx, and by models without heatmaps, always in 1."""
    repair_sides: bool = True
    """Whether to exchange left and right in videos where the model did so for a moment."""
    energy: bool = False
    """Whether to score each pose by L_UNP's disagreement with itself, painted in grey: several
    times the work. `confidence` says more of how right a pose is."""
    energy_gap: Seconds = 1.0
    """Time from a frame to the one that lends the person's appearance to that painting [s]."""
    overlay: bool = True
    """Whether to write overlay.mp4, or overlay/*.png for images."""
    viewer: bool = True
    """Whether to write viewer.html: the video beside 3D skeletons that can be turned, on one page
    that needs no network; of a long video the first five minutes."""
    detections: Annotated[Path | None, Writes()] = None
    """File (CSV) for everybody's box and its score, frame by frame: `--detector file` reads it."""
    onnx: Annotated[Path | None, Reads()] = None
    """What `export-onnx` wrote of the run: ONNX Runtime (kinepose[onnx]) then finds the poses, and
    the people if there is a file for that beside it, in place of torch, on the processor."""
    bfloat16: bool | None = None
    """Whether the networks compute in half precision. None: where the processor, or the GPU, is
    faster so; poses then differ by about a millimetre."""
    batch_size: Annotated[int, Interval(ge=1, le=100_000)] = 16
    """Crops that a thread, or the GPU, works on at once."""
    overwrite: bool = False
    """Whether to replace results of another video, or by other settings, in the output folder."""
    device: Device = "auto"

    def __post_init__(self) -> None:
        """A folder that is given as '.' has a name too, which tells whose its results are."""
        super().__post_init__()
        if self.video.name in ("", ".."):
            object.__setattr__(self, "video", self.video.resolve())


@dataclass(frozen=True)
class AppConfig(Settings):
    """Open a local web page to drop videos on."""

    run: Annotated[Path, RUN] = SHIPPED
    """Folder of a trained run; unless told, the package's own model."""
    host: Annotated[str, Len(0, 253)] = "127.0.0.1"
    """Address to listen at. Whoever can reach it can use the page: there is no password."""
    port: Annotated[int, Interval(ge=0, le=65535)] = 8000
    """0 takes a free one."""
    largest: Annotated[int, Interval(ge=1, le=1_000_000)] = 2000
    """Size of a video, at most [MB]."""
    device: Device = "auto"


@dataclass(frozen=True)
class ExportConfig(Settings):
    """Write poses in further formats."""

    poses: Annotated[Positional, Reads(("poses.npz",))]
    """poses.npz, or the folder that `predict` wrote."""
    output: Annotated[Path, Writes(("results.json", "poses.{format}", "track_*.{format}"))]
    """Folder for the files: poses.json, poses.csv, track_N.bvh, track_N.trc, track_N.c3d."""
    formats: tuple[Format, ...]
    """Which; c3d needs kinepose[formats]."""
    rate: Annotated[float, Interval(ge=0.01, le=10_000.0)] | None = None
    """Frames a second of bvh, trc and c3d; unless told, the video's own, or their mean."""
    overwrite: bool = False
    """Whether to replace results of other poses, or at another rate, in the output folder."""


@dataclass(frozen=True)
class ExportOnnxConfig(Settings):
    """Write what finds poses in a crop (E_P, T_fk, T_c) as an ONNX file.

    The person detector becomes another one beside it, NAME_people.onnx.
    """

    output: Annotated[Path, Writes()]
    """The file."""
    run: Annotated[Path, RUN] = SHIPPED
    """Folder of a trained run; unless told, the package's own model."""
    int8: bool = False
    """Whether convolutions compute with 8 bits: less than half the time, and poses that differ
    a little."""
