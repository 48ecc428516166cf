"""A video several times over, and all its frames decoded: what speeds are measured on."""

import csv
from pathlib import Path

import av
from av.video.reformatter import VideoReformatter


def decode(video: Path) -> None:
    """All frames, as RGB."""
    scaler = VideoReformatter()
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            scaler.reformat(frame, format="rgb24").to_ndarray()


def repeat(video: Path, boxes: Path, times: int, output: Path, boxes_output: Path) -> None:
    """The video several times over, its packets as they are, and its boxes likewise."""
    with av.open(str(output), "w") as written:
        target, start, count = None, 0, 0
        for _ in range(times):
            end = 0
            with av.open(str(video)) as read:
                source = read.streams.video[0]
                target = target or written.add_stream_from_template(source)
                count = source.frames
                for packet in read.demux(source):
                    if packet.pts is None or packet.dts is None:
                        continue
                    end += packet.duration or 0
                    packet.pts, packet.dts = packet.pts + start, packet.dts + start
                    packet.stream = target
                    written.mux(packet)
            start += end
    with boxes.open() as file:
        reader = csv.DictReader(file)
        rows, columns = list(reader), list(reader.fieldnames or ())
    with boxes_output.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for turn in range(times):
            writer.writerows({**row, "frame": int(row["frame"]) + turn * count} for row in rows)
