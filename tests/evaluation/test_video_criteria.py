"""video_criteria.py on a drawn video, prepared as any other, whose poses are known."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from tests.inference.test_temporal_filter import FRAMES, moving, rows_of, together

from kinepose.artifacts.pose_files import write_poses
from kinepose.dataset.clip_set import read_clips
from kinepose.dataset.config import PrepareConfig
from kinepose.dataset.prepare import prepare
from kinepose.evaluation.config import CriteriaConfig
from kinepose.evaluation.video_criteria import measure_hits, measure_videos, measure_views
from kinepose.io.errors import BadInputError
from kinepose.video.config import PeopleConfig
from kinepose.video.writing import write_video
from kinepose.visualization.skeletons import draw_skeleton

TURN = np.linspace(0, 2, FRAMES)


def walking(seed=0, track=3):
    """Somebody about 120 px tall who walks through an image of 320 x 240."""
    poses = moving(seed, turn=TURN, track=track)
    root2d = np.linspace([70, 120], [250, 120], FRAMES)[:, None]
    joints2d = (root2d + 0.07 * poses.joints3d[..., :2]).astype(np.float32)
    margins = np.float32([-4, -4, 4, 4])
    box = np.concatenate([joints2d.min(1), joints2d.max(1)], axis=-1) + margins
    return replace(poses, joints2d=joints2d, box=box.astype(np.float32))


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder, poses = tmp_path_factory.mktemp("walk"), walking()
    scene = np.full((240, 320, 3), 90, np.uint8)
    scene[::16] = 110

    def frames():
        for joints in poses.joints2d:
            image = scene.copy()
            draw_skeleton(image, joints, width=5)
            yield image

    write_video(folder / "video.mp4", frames(), 30.0)
    lines = ["frame,track,x0,y0,x1,y1"]
    lines += [f"{i},3,{','.join(map(str, box))}" for i, box in enumerate(poses.box.tolist())]
    (folder / "boxes.csv").write_text("\n".join(lines))
    people = PeopleConfig("file", boxes=folder / "boxes.csv")
    prepare(
        PrepareConfig(
            (folder / "video.mp4",), folder / "clips", people, shortest_clip=1.0, workers=1
        )
    )
    return folder / "clips"


def test_joints_on_the_person_are_counted_in_clips(clips):
    poses, held = walking(), read_clips([clips])
    assert len(held.paired) == 1
    right = measure_hits(poses, held)
    assert right.share > 0.97 and right.fit > 0.85
    crops = np.array(held.table["crop"].to_pylist())
    first = (poses.joints2d[0] - crops[0, :2]) / crops[0, 2:]
    constant = crops[:, None, :2] + first * crops[:, None, 2:]
    in_one_place = replace(poses, joints2d=constant.astype(np.float32))
    assert measure_hits(in_one_place, held).fit == pytest.approx(0, abs=1e-6)
    elsewhere = replace(poses, box=poses.box + np.float32(200))
    assert math.isnan(measure_hits(elsewhere, held).fit)
    with pytest.raises(BadInputError, match=r"nothing of other\.mp4"):
        measure_hits(replace(poses, video=np.array("other.mp4")), held)


def seen_from_the_side(poses):
    """By another camera, to which x is depth."""
    joints3d = poses.joints3d[..., [2, 1, 0]] * np.float32([-1, 1, 1])
    return replace(poses, joints3d=joints3d)


def test_people_of_two_views_find_each_other():
    people = [walking(seed, track) for seed, track in ((0, 3), (5, 8))]
    late = rows_of(people[1], np.arange(20, FRAMES))
    first = together(people[0], late)
    swapped = [
        replace(people[0], track=0 * people[0].track + 9),
        replace(late, track=0 * late.track),
    ]
    second = seen_from_the_side(together(*swapped))
    agreement = measure_views(first, second)
    assert agreement.ratio < 1e-3 and agreement.moments > 30
    one = rows_of(second, np.flatnonzero(second.track == 9))
    assert measure_views(first, one).ratio < 1e-3


def test_the_command_prints_and_writes_what_collapse_cannot_please(clips, tmp_path, capsys):
    good = walking()
    constant = rows_of(good, np.zeros(FRAMES, int))
    constant = replace(constant, frame=good.frame, box=good.box, video=np.array("constant.mp4"))
    write_poses(tmp_path / "good" / "poses.npz", good)
    write_poses(tmp_path / "side.npz", seen_from_the_side(good))
    write_poses(tmp_path / "constant.npz", constant)
    paths = tuple(tmp_path / name for name in ("good", "side.npz", "constant.npz"))
    numbers = measure_videos(CriteriaConfig(paths, views=True, output=tmp_path / "criteria.json"))
    assert json.loads((tmp_path / "criteria.json").read_text()) == numbers
    steady = [video["steadiness"]["ratio"] for video in numbers["videos"]]
    assert steady[0] < 0.1 and steady[2] == "inf"
    assert len(numbers["views"]) == 3 and numbers["views"][0]["ratio"] < 1e-3
    assert "constant.mp4" in capsys.readouterr().out
    measured = measure_videos(CriteriaConfig(paths[:1], clips=(clips,)))
    assert measured["videos"][0]["hits"]["fit"] > 0.85 and not measured["views"]
    assert capsys.readouterr().out.split()[-1] == "1"


def test_bad_input_is_one_clear_line(clips, tmp_path):
    good = walking()
    for name, poses in {
        "good": good,
        "fast": replace(good, fps=np.array(60, np.float32)),
        "images": replace(good, fps=np.array(0, np.float32)),
        "later": replace(good, frame=good.frame + 1000),
    }.items():
        write_poses(tmp_path / f"{name}.npz", poses)
    for names, says in [
        (("good",), "two or more"),
        (("good", "fast"), "pace"),
        (("good", "images"), "images"),
        (("good", "later"), "nobody"),
        (("good", "none"), "no such file"),
        (("good", "fast", "good"), r"good\.npz is named twice"),
    ]:
        config = CriteriaConfig(tuple(tmp_path / f"{name}.npz" for name in names), views=True)
        with pytest.raises(BadInputError, match=says) as caught:
            measure_videos(config)
        assert "\n" not in str(caught.value)
