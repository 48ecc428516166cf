"""Settings of clips and of the stream of renders; nothing here imports torch."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from annotated_types import Interval

from kinepose.io.places import Reads, Writes
from kinepose.io.schema import Settings, ends
from kinepose.io.settings import Range, Seconds, Share, Videos, Workers
from kinepose.synthetic.config import SingleImagesConfig
from kinepose.video.config import PeopleConfig


@dataclass(frozen=True)
class PrepareConfig(Settings):
    """Cut videos into clips of one person each, with backgrounds where they can be had."""

    videos: Videos
    """Videos, in any format that FFmpeg decodes."""
    output: Annotated[Path, Writes(("_videos.json", "_films.json", "*.parquet"))]
    """Folder for the clips: Parquet, one row a frame."""
    people: tyro.conf.OmitArgPrefixes[PeopleConfig] = field(default_factory=PeopleConfig)
    backgrounds: Annotated[Path | None, Reads()] = None
    """Folder of images of the empty scenes, named like the videos, instead of the median."""
    shortest_clip: Seconds = 5.0
    """Shorter clips are dropped [s]. The paper: more than 5."""
    longest_clip: Annotated[float, Interval(ge=0.1, le=1e9)] = 60.0
    """Longer shots are cut into several clips [s]."""
    whole: bool = True
    """Whether to leave out frames in which the person's box touches the border of the image."""
    crop_size: Annotated[int, Interval(ge=8, le=4096)] = 224
    """Side of the stored crops [px]."""
    fps: Annotated[float, Interval(ge=0.0, le=1e6)] = 0.0
    """Frames a second to keep; 0 keeps all."""
    background_window: Seconds = 10.0
    """Length of the time window of the median, around each frame [s]."""
    largest_invalid: Share = 0.3
    """Share of a clip's boxes that may lack a background before it counts as unpaired."""
    workers: Workers = 0
    """Processes; 0 means one a core."""
    ray: bool = False
    """Whether Ray (kinepose[ray]) cuts them: on the cluster that the variable RAY_ADDRESS names,
    whose machines find videos and clips at the same places; without it, on this machine."""


@dataclass(frozen=True)
class CompositionConfig(Settings):
    """How crops are composed of renders and places, or of frames, and what is done to them."""

    length: Annotated[Range, ends(0.05, 20.0)] = (0.58, 0.95)
    """Of the person, in sides of the crop."""
    shift: Annotated[float, Interval(ge=0.0, le=10.0)] = 0.12
    """Standard deviation of where the person's middle is [half crop sides]."""
    roll: Annotated[float, Interval(ge=0.0, le=180.0)] = 20.0
    """Standard deviation of the rotation in the plane [degrees]."""
    any_way: Share = 0.3
    """Share of images turned by any angle."""
    others: Annotated[float, Interval(ge=0.0, le=100.0)] = 0.4
    """Further people behind the person, on average."""
    in_front: Share = 0.12
    """Share of images with another person in front."""
    hidden: Share = 0.3
    """Share of images in which a thing hides a part."""
    cut: Share = 0.25
    """Share of renders that the border of their image cuts; beyond, it goes on as in crops."""
    grey: Share = 0.08
    """Share of images without colour."""
    blur: Share = 0.25
    """Share of images out of focus."""
    coarse: Share = 0.25
    """Share, of images in focus, of those enlarged from fewer pixels."""
    noise: Annotated[float, Interval(ge=0.0, le=255.0)] = 9.0
    """Largest standard deviation of the sensor's noise [0 to 255]."""
    jpeg: Share = 0.4
    """Share of images that were compressed as JPEG."""


@dataclass(frozen=True)
class StreamConfig(SingleImagesConfig):
    """Many renders for L_prior, in place of the paper's 20, and poses without images."""

    renders: Annotated[int, Interval(ge=0, le=10_000_000)] = 0
    """How many are made ahead of training, and kept; 0 means no stream."""
    folder: Path | None = None
    """Where they are kept, for other runs of the same settings and seed; else in the run."""
    held: Annotated[int, Interval(ge=1, le=10_000_000)] = 4096
    """How many of them are in memory at once."""
    renewed: Annotated[float, Interval(ge=0.0, le=1e6)] = 2.0
    """How many of these make way for others in an iteration."""
    composition: CompositionConfig = field(default_factory=CompositionConfig)
    poses: Annotated[int, Interval(ge=0, le=100_000_000)] = 0
    """Poses without images from which the branches learn as well; 0 means none."""
    pose_batch: Annotated[int, Interval(ge=2, le=1_000_000)] = 256
    """Of them in an iteration."""
    workers: Workers = 0
    """Processes that render and make poses ahead; 0 means one a core."""
    loaders: Workers = 1
    """Processes that compose batches beside the one that trains."""
