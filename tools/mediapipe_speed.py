"""Frames per second of MediaPipe Pose (full) on a video: python tools/mediapipe_speed.py VIDEO.

For a Python with mediapipe 0.10.14 and av, which need not have kinepose. Prints JSON: frames a
second, milliseconds of processor time a frame, and in how many frames someone was found.
"""

import json
import sys
import time

import av
import mediapipe


def main(video: str) -> None:
    """Decode and find, frame by frame, as MediaPipe's own examples do."""
    started, worked, frames, found = time.perf_counter(), time.process_time(), 0, 0
    with mediapipe.solutions.pose.Pose(model_complexity=1) as pose, av.open(video) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for frame in container.decode(stream):
            results = pose.process(frame.to_ndarray(format="rgb24"))
            found += results.pose_landmarks is not None
            frames += 1
    seconds, worked = time.perf_counter() - started, time.process_time() - worked
    print(json.dumps({"fps": frames / seconds, "cpu": 1000 * worked / frames, "found": found}))


if __name__ == "__main__":
    main(sys.argv[1])
