"""Videos that store two half images, of two moments, woven into each frame."""

from collections.abc import Iterator

import av
from av.filter import Graph


def deinterlaced(frames: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """As many frames, with their times, each of one moment; those that are it pass as they are.

    FFmpeg's bwdif, from the first frame on that says it is woven; it looks one frame ahead.
    """
    graph, kind = None, None
    for frame in frames:
        if graph is not None and kind != _kind(frame):
            yield from _through(graph, None)
            graph = None
        if graph is None and frame.interlaced_frame:
            graph, kind = _graph(frame), _kind(frame)
        if graph is None:
            yield frame
        else:
            yield from _through(graph, frame)
    if graph is not None:
        yield from _through(graph, None)


def _kind(frame: av.VideoFrame) -> tuple[int, int, str]:
    return frame.width, frame.height, frame.format.name


def _graph(frame: av.VideoFrame) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )
    bwdif = graph.add("bwdif", "mode=send_frame:deint=interlaced")
    graph.link_nodes(source, bwdif, graph.add("buffersink")).configure()
    return graph


def _through(graph: Graph, frame: av.VideoFrame | None) -> Iterator[av.VideoFrame]:
    """What comes out for a frame; for None, what is left."""
    graph.vpush(frame)
    while True:
        try:
            yield graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return
