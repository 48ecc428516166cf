"""Settings of `report`; nothing here imports torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from kinepose.io.places import POSES, RUN, Writes
from kinepose.io.schema import Settings
from kinepose.io.settings import Positional


@dataclass(frozen=True)
class ReportConfig(Settings):
    """Draw a run as one self-contained HTML page."""

    run: Annotated[Positional, RUN]
    """Folder of a run."""
    output: Annotated[Path, Writes()]
    """The page."""
    poses: Annotated[Path | None, POSES] = None
    """Folder that `predict` wrote, for overlays and 3D skeletons; looked for beside the run."""
