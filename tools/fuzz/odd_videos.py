"""Videos that are unusual rather than broken, and other things called videos."""

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
from tools.fuzz.images import FRAMES, blob_frames, sound_only, write_clip


def special_videos() -> dict[str, tuple[str, Callable[[Path], object], str]]:
    """Videos that are unusual rather than broken, and other things called videos."""
    plain = blob_frames()
    far = [83 * i + (10**9 if i >= 12 else 0) for i in range(FRAMES)]
    smaller = blob_frames(12, (64, 48))

    def two_sizes(path: Path) -> None:
        parts = []
        for number, frames in enumerate((plain[:12], smaller)):
            part = write_clip(path.with_name(f"part{number}.ts"), frames, container="mpegts")
            parts.append(part.read_bytes())
            part.unlink()
        path.write_bytes(b"".join(parts))

    def text(content: str | bytes) -> Callable[[Path], object]:
        data = content if isinstance(content, bytes) else content.encode()
        return lambda path: path.write_bytes(data)

    def mp4_claims(width: int, height: int) -> Callable[[Path], object]:
        def make(path: Path) -> None:
            data = bytearray(write_clip(path).read_bytes())
            start = data.find(b"avc1", data.find(b"stsd")) + 28
            data[start : start + 4] = struct.pack(">HH", width, height)
            path.write_bytes(bytes(data))

        return make

    gif = b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0x80, 0, 0) + bytes(6)
    gif += b"," + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\x02\x02D\x01\x00;"
    black = [np.zeros_like(plain[0])] * FRAMES
    noise = list(np.random.default_rng(1).integers(0, 256, (FRAMES, 72, 96, 3), np.uint8))
    return {
        "one frame": ("mp4", lambda p: write_clip(p, plain[:1]), "any"),
        "two frames": ("mp4", lambda p: write_clip(p, plain[:2]), "any"),
        "2 x 2 px": ("mp4", lambda p: write_clip(p, [f[:2, :2] for f in plain]), "any"),
        "1 x 1 px": (
            "mkv",
            lambda p: write_clip(p, [f[:1, :1] for f in plain], "ffv1", "bgr0"),
            "any",
        ),
        "2000 x 2 px": ("mp4", lambda p: write_clip(p, blob_frames(4, (2000, 2))), "any"),
        "2 x 2000 px": ("mp4", lambda p: write_clip(p, blob_frames(4, (2, 2000))), "any"),
        "black": ("mp4", lambda p: write_clip(p, black), "any"),
        "noise": ("mp4", lambda p: write_clip(p, noise), "any"),
        "a still": ("mp4", lambda p: write_clip(p, plain[:1] * FRAMES), "any"),
        "a leap in time of 11 days": ("mkv", lambda p: write_clip(p, times=far), "any"),
        "one time for all frames": ("mkv", lambda p: write_clip(p, times=[0] * FRAMES), "any"),
        "a frame in 1000 s": ("mp4", lambda p: write_clip(p, fps=Fraction(1, 1000)), "any"),
        "100000 frames/s": ("mkv", lambda p: write_clip(p, fps=100000), "any"),
        "other size in the middle": ("ts", two_sizes, "any"),
        "10 bits": ("mp4", lambda p: write_clip(p, pixels="yuv420p10le"), "any"),
        "grey": ("mp4", lambda p: write_clip(p, pixels="gray"), "any"),
        "raw H.264": ("h264", lambda p: write_clip(p, container="h264"), "any"),
        "sound only": ("mp4", text(sound_only()), "fail"),
        "subtitles": ("mp4", text("1\n00:00:00,000 --> 00:00:02,000\nHello\n"), "fail"),
        "a playlist of another file": ("mp4", text("#EXTM3U\n#EXTINF:2,\nother.mp4\n"), "fail"),
        "a playlist of the web": (
            "mp4",
            text("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://127.0.0.1:9/a.ts\n"),
            "fail",
        ),
        "a list for concat": ("mp4", text("ffconcat version 1.0\nfile '/etc/hostname'\n"), "fail"),
        "a text with colours": ("mp4", text("\x1b[31mred\x1b[0m\n" * 300), "fail"),
        "Y4M of 100000 x 100000": ("y4m", text("YUV4MPEG2 W100000 H100000 F25:1\nFRAME\n"), "fail"),
        "Y4M of 16000 x 16000": ("y4m", text("YUV4MPEG2 W16000 H16000 F25:1\nFRAME\n"), "fail"),
        "Y4M of 25:0": ("y4m", text(b"YUV4MPEG2 W4 H4 F25:0\nFRAME\n" + bytes(24)), "any"),
        "Y4M of 0 x 0": ("y4m", text("YUV4MPEG2 W0 H0 F25:1\nFRAME\n"), "fail"),
        "GIF of 65535 x 65535": ("gif", text(gif), "fail"),
        "MP4 says 65535 x 65535": ("mp4", mp4_claims(65535, 65535), "any"),
        "MP4 says 0 x 0": ("mp4", mp4_claims(0, 0), "any"),
    }
