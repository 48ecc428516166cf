"""Which frames of every video training does not see."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool, Float, Int

from kinepose.dataset.clip_set import read_clips
from kinepose.io.files import replacing

BLOCK = 1.0
"""Length of a part that is held back [s]; of short videos it is shorter, but at least SHORTEST."""
SHORTEST = 0.7
MOST_HELD_BACK = 600
"""Frames of all videos together, so that a check takes seconds."""


def split_clips(clips: Path, training: Path, held_back: Path, share: float) -> None:
    """Divide prepared clips into what training sees and what it does not.

    Raises:
        BadInputError: if the clips cannot be read.
    """
    everything = read_clips([clips]).table
    share = min(share, MOST_HELD_BACK / len(everything))
    videos = everything["video"].to_numpy()
    for name in np.unique(videos):
        video = everything.filter(pa.array(videos == name))
        clock = running_time(*(video[c].to_numpy() for c in ("clip", "track", "time")))
        held = is_held_back(clock, share)
        for folder, chosen in ((training, ~held), (held_back, held)):
            with replacing(folder / f"{Path(name).stem}.parquet") as temporary:
                pq.write_table(video.filter(pa.array(chosen)), temporary, compression="zstd")


def running_time(
    clip: Int[np.ndarray, " rows"],
    track: Int[np.ndarray, " rows"],
    time: Float[np.ndarray, " rows"],
) -> Float[np.ndarray, " rows"]:
    """Time that people were seen before each row [s]: one person's clip after the other."""
    starts = np.append(True, (np.diff(clip) != 0) | (np.diff(track) != 0))
    steps = np.append(0.0, np.diff(time))
    return np.cumsum(np.where(starts, 0.0, steps))


def is_held_back(clock: Float[np.ndarray, " rows"], share: float) -> Bool[np.ndarray, " rows"]:
    """Blocks evenly spread over a video, each in the middle of a stretch that training sees."""
    length = float(clock[-1])
    block = min(BLOCK, max(SHORTEST, share * length))
    period = min(block / share, length) or 1.0
    place = clock % period
    return (place >= (period - block) / 2) & (place < (period + block) / 2)
