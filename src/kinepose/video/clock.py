"""When the frames of a video are shown."""

import warnings
from collections.abc import Iterable, Iterator

import av
from av.format import Flags

from kinepose.io.errors import VideoWarning
from kinepose.video.containers import bare_rate, has_no_times, has_one_time, stated_fps

_BACK, _FORTH = 0.1, 10.0
"""Steps of a clock farther back or forth [s] are leaps: FFmpeg's dts_delta_threshold."""
_EARLY = 0.02
"""So much too early, in beats, a frame may come for its beat: clocks count in milliseconds."""


class Beats:
    """Which frames of a video to take for so many a second: the first of each beat, by its time.

    Where frames come more slowly each is taken, as with a rate of 0.
    """

    def __init__(self, rate: float) -> None:
        self._rate, self._last = rate, -1

    def falls_on(self, time: float) -> bool:
        """Whether to take the next frame, at this time since the first one [s]."""
        beat = int(time * self._rate + _EARLY)
        falls = self._rate <= 0 or beat > self._last
        self._last = max(self._last, beat)
        return falls


def timed(
    frames: Iterable[av.VideoFrame],
    name: str,
    container: av.container.InputContainer,
    stream: av.VideoStream,
) -> Iterator[tuple[float, float, av.VideoFrame]]:
    """Frames in the order of being shown: when, since the first one, and for how long [s].

    No frame comes before the one before it. In streams that are cut and joined as they are (MPEG-TS
    and -PS) the clock may leap: as in players, time goes on at the video's rate. A video without
    times, or with one time for all frames, has its rate; a VideoWarning says where these are
    guessed.
    """
    fps = stated_fps(container, stream)
    counts, joins = has_no_times(container), bool(container.format.flags & Flags.ts_discont.value)
    start, time, lasts, leaps, count, stands = None, 0.0, 0.0, 0, 0, False
    if counts and not bare_rate(stream):
        _warn(f"{name} states no frame rate: {fps:g} frames a second are taken for granted")
    for frame in frames:
        count += 1
        if counts or frame.pts is None or frame.time_base is None:
            time += lasts
        else:
            told = float(frame.pts * frame.time_base)
            if count == 2 and told == start:
                stands = has_one_time(container, stream)
            start = told if start is None else start
            if stands:
                start = told - (count - 1) / fps
            elif joins and not -_BACK <= told - start - time - lasts <= _FORTH:
                start, leaps = told - time - lasts, leaps + 1
            time = max(time, told - start)
        lasts = max(float((frame.duration or 0) * (frame.time_base or 0)), 1 / fps)
        yield time, lasts, frame
    if stands:
        _warn(f"{name} gives all its {count} frames one time: {fps:g} a second are taken instead")
    if leaps:
        _warn(
            f"the clock of {name} leaps ({leaps} x), as if joined: time goes on at its rate there"
        )


def _warn(message: str) -> None:
    warnings.warn(message, VideoWarning, stacklevel=3)
