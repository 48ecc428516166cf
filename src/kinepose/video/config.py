"""Settings of how people are found in videos; nothing here imports torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Interval

from kinepose.io.errors import SettingError
from kinepose.io.places import Reads
from kinepose.io.schema import Settings
from kinepose.io.settings import Share, Some

Detector = Literal["people", "motion", "file", "rtdetr", "none"]


@dataclass(frozen=True)
class PeopleConfig(Settings):
    """How people are found in a video, followed, and cropped."""

    detector: Detector = "people"
    """people: the package's own network, which learnt from renders; motion: what differs from the
    median frame; file: boxes of a CSV; rtdetr: a network of transformers; none: the whole image
    is the person."""
    boxes: Annotated[Path | None, Reads()] = None
    """CSV for the detector 'file': film, frame, track, x0, y0, x1, y1 [px of the video as it is
    shown]; film, or video, may be left out for a single one; a column score is heeded."""
    detector_weights: str = "PekingU/rtdetr_r50vd"
    """Name on the Hub, or folder, of the detector 'rtdetr'."""
    detector_threshold: Share | None = None
    """Least score of a person found by 'people' (unless told, 0.45, or more in shots where others
    are found more surely) or 'rtdetr' (0.5), or of a box in the column score of --boxes (0)."""
    max_people: Some | None = None
    """How many people to keep of a video, those largest for longest, or of each image, the largest
    ones; unless told, all."""
    margin: Annotated[float, Interval(ge=0.1, le=10.0)] | None = None
    """Side of the square crop, in lengths of the person's box; unless told, the model's own."""
    side: Literal["clip", "frame"] | None = None
    """Whether the side is constant within a clip (by the 90 % quantile of the boxes' lengths) or
    follows the boxes smoothly; unless told, as the model's own."""
    smoothing: Annotated[float, Interval(ge=0.0, le=60.0)] = 0.2
    """Standard deviation of the Gaussian that smooths boxes over time [s]."""
    longest_gap: Annotated[float, Interval(ge=0.0, le=3600.0)] | None = None
    """A person not found for longer is a new one, or known again by appearance; shorter gaps are
    interpolated [s]. Unless told, 2 for 'people' and 1 for the others."""
    motion_threshold: Annotated[float, Interval(ge=0.0, le=1e6)] = 2.6
    """Background motion above which the camera moves for the detector 'motion', and clips are
    unpaired (D_unp): root mean square difference of pixels between frames, outside the two fifths
    of the image that change most [0 to 255]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.boxes is not None and self.detector != "file":
            raise SettingError("boxes", "is read by --detector file alone")
