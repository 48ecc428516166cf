"""A part of the benchmark `synthworld`: its clips with their labels."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kinepose.dataset.clip_set import ClipSet, read_clips
from kinepose.dataset.labels import ClipLabels, read_clip_labels


@dataclass(frozen=True)
class Split:
    """A part of the benchmark."""

    name: str
    clips: ClipSet
    labels: ClipLabels

    def of_labelled(self, column: str) -> np.ndarray:
        """A column of the clips, for the labelled rows."""
        return self.clips.table[column].to_numpy()[self.labels.rows]


def read_split(folder: Path, margin: float) -> Split:
    """The clips and labels of a part of the benchmark, crops with a margin as a model wants them.

    Raises:
        BadInputError: if there are none.
    """
    clips = read_clips([folder / "clips"], margin=margin)
    return Split(folder.name, clips, read_clip_labels([folder / "labels"], clips, 1.0, seed=0))
