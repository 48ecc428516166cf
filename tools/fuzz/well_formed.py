"""Whether damage is of a kind that nothing in the file tells: others find it well-formed too."""

from pathlib import Path

import av


def is_well_formed(path: Path) -> bool:
    """Whether FFmpeg, at its strictest, decodes a JPEG, where kinepose uses libjpeg.

    JPEG has no checksums: where bytes are changed so that all codes are valid, and the last of them
    ends where the data does, another image is there as if it were meant.
    """
    if path.suffix != ".jpg":
        return False
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.codec_context.options = {"err_detect": "explode"}
            return not any(frame.is_corrupt for frame in container.decode(stream))
    except av.FFmpegError:
        return False
