"""Small videos and images: good ones, and heads that claim too much."""

import io
import struct
import zlib
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

FRAMES, SIDE = 24, (96, 72)


def blob_frames(count: int = FRAMES, size: tuple[int, int] = SIDE) -> list[np.ndarray]:
    """Somebody reddish who walks across stripes."""
    width, height = size
    y, x = np.mgrid[:height, :width]
    scene = 128 + 40 * np.sin(x / 7)[..., None] * [1, 0.7, 0.4] + 30 * np.cos(y / 5)[..., None]
    frames = []
    for i in range(count):
        image = scene.copy()
        left = int((0.1 + 0.7 * i / max(count, 2)) * width)
        image[height // 4 : -height // 8, left : left + max(1, width // 7)] = [230, 60, 40]
        frames.append(image.clip(0, 255).astype(np.uint8))
    return frames


def write_clip(
    path: Path,
    frames: list[np.ndarray] | None = None,
    codec: str = "",
    pixels: str = "yuv420p",
    fps: int | Fraction = 12,
    times: list[int] | None = None,
    container: str | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """With PyAV; times are in ms."""
    frames = blob_frames() if frames is None else frames
    usual = {"gif": "gif", "webm": "libvpx", "avi": "mpeg4", "mpg": "mpeg1video"}
    codec = codec or usual.get(path.suffix[1:], "libx264")
    with av.open(str(path), "w", format=container, options=options or {}) as out:
        stream = out.add_stream(codec, rate=fps)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "rgb8" if codec == "gif" else pixels
        stream.thread_count = 1
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for i, image in enumerate(frames):
            write_image = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            if times is not None:
                write_image.pts, write_image.time_base = times[i], Fraction(1, 1000)
            out.mux(stream.encode(write_image))
        out.mux(stream.encode())
    return path


def write_image(path: Path, image: np.ndarray | None = None) -> Path:
    """Of the kind that its name says."""
    image = blob_frames(3)[1] if image is None else image
    assert cv2.imwrite(str(path), image[..., ::-1] if image.ndim == 3 else image)
    return path


def sound_only() -> bytes:
    """An MP4 without images."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16000)
        for i in range(20):
            wave = np.sin(np.arange(1024) / 9).astype(np.float32)[None]
            frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16000, 1024 * i
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return out.getvalue()


def png_bytes(width: int, height: int, real: bool) -> bytes:
    """Grey; of one that is not real only the head claims this size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    if real:
        packer = zlib.compressobj(1)
        rows = b"".join(packer.compress(bytes(width + 1)) for _ in range(height))
        data = rows + packer.flush()
    else:
        data = zlib.compress(bytes(4096))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
