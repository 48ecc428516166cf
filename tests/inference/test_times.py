"""A video whose rate changes: when each frame was shown, in everything that `predict` writes."""

import base64
import csv
import json
import re

import ezc3d
import numpy as np
import pytest
from tests.inference.motion_readers import read_trc
from tests.inference.test_trajectories import read_bvhio
from tests.inference.two_figures import FRAMES, frame_image, predicted

from kinepose.artifacts.pose_files import read_poses
from kinepose.video.config import PeopleConfig
from kinepose.video.reading import read_frames
from kinepose.video.writing import write_timed_video
from kinepose.visualization.viewer import write_viewer

TIMES = np.cumsum([0, *([1 / 30] * 9), *([0.1] * 8), *([1 / 30] * 7)])
"""30, 10 and 30 frames a second [s]."""
RIGHT = 1e-3
"""How far a time may be off [s]."""


@pytest.fixture(scope="module")
def output(run, boxes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("uneven")
    timed = zip(TIMES.tolist(), map(frame_image, range(FRAMES)), strict=True)
    write_timed_video(folder / "uneven.mp4", timed, 18.0)
    formats = ("json", "csv", "bvh", "trc", "c3d")
    people = PeopleConfig(detector="file", boxes=boxes)
    predicted(
        folder / "uneven.mp4", run, folder / "out", people=people, energy=False, formats=formats
    )
    write_viewer(folder / "uneven.mp4", folder / "out")
    return folder / "out"


def test_tables_have_the_times_of_the_frames(output):
    poses = read_poses(output)
    np.testing.assert_allclose(poses.time, TIMES[poses.frame], atol=RIGHT)
    assert len(poses.frame) > FRAMES and poses.fps == pytest.approx((FRAMES - 1) / TIMES[-1])
    with (output / "poses.csv").open(newline="") as file:
        said = [(int(row["frame"]), float(row["time"])) for row in csv.DictReader(file)]
    people = json.loads((output / "poses.json").read_text())["people"]
    also = [(pose["frame"], pose["time"]) for person in people for pose in person["poses"]]
    for frame, time in (np.array(pairs).T for pairs in (said, also)):
        assert len(frame) == len(poses.frame)
        np.testing.assert_allclose(time, TIMES[frame.astype(int)], atol=RIGHT)


def test_videos_show_their_frames_then(output, tmp_path):
    page = (output / "viewer.html").read_text()
    held = {name: re.search(rf'"{name}": ?"([^"]+)"', page)[1] for name in ("video", "time")}
    (tmp_path / "page.mp4").write_bytes(base64.b64decode(held["video"]))
    np.testing.assert_allclose(
        np.frombuffer(base64.b64decode(held["time"]), "<f4"), TIMES, atol=RIGHT
    )
    for path in (output / "overlay.mp4", tmp_path / "page.mp4"):
        np.testing.assert_allclose([frame.time for frame in read_frames(path)], TIMES, atol=RIGHT)


@pytest.mark.parametrize("track", [3, 8])
def test_motions_are_where_the_person_was_then(output, track):
    """The pelvis goes straight between frames; a time that is 1 ms off shows in where it is."""
    poses = read_poses(output)
    mine = poses.track == track
    root = poses.root[mine] * [1.0, -1.0, -1.0]

    def pelvis(times):
        return np.stack([np.interp(times, poses.time[mine], axis) for axis in root.T], axis=-1)

    head, _, numbers, times, from_trc = read_trc(output / f"track_{track}.trc")
    c3d = ezc3d.c3d(str(output / f"track_{track}.c3d"))
    rate = c3d["parameters"]["POINT"]["RATE"]["value"][0]
    first = c3d["header"]["points"]["first_frame"]
    from_c3d = c3d["data"]["points"][:3, 0].T
    from_bvh, step = read_bvhio(output / f"track_{track}.bvh")
    assert float(head["DataRate"]) == pytest.approx(float(poses.fps)) == rate
    ours = {
        "trc": (times, from_trc[:, 0], 0.001),
        "c3d": ((first + np.arange(len(from_c3d))) / rate, from_c3d, 0.001),
        "bvh": ((numbers[0] - 1) / rate + step * np.arange(len(from_bvh)), from_bvh[:, 0], 0.001),
    }
    for clock, place, rounded in ours.values():
        assert len(clock) == len(place) and np.ptp(clock) > np.ptp(poses.time[mine]) - 2 / rate
        inside = (clock >= poses.time[mine][0]) & (clock <= poses.time[mine][-1])
        assert inside.sum() >= len(clock) - 2
        a_millisecond = np.abs(pelvis(clock + RIGHT) - pelvis(clock)).max()
        assert a_millisecond > 10 * rounded
        assert np.abs(place - pelvis(clock))[inside].max() < a_millisecond
