import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from kinepose.dataset import render_stream
from kinepose.dataset.config import CompositionConfig, StreamConfig
from kinepose.dataset.pose_pairs import random_moments
from kinepose.dataset.render_crops import compose_batch
from kinepose.dataset.render_stream import (
    RenderBatches,
    batches_from,
    label_renders,
    poses_ahead,
    render_ahead,
)
from kinepose.dataset.renders import PriorSet, load_prior
from kinepose.io.errors import BadInputError
from kinepose.method.batches import LabelledBatch
from kinepose.synthetic.config import MotionConfig, SceneConfig
from kinepose.synthetic.single_images import SEQUENCE, render_sequence

SMALL = StreamConfig(
    renders=2 * SEQUENCE + 1, held=2 * SEQUENCE, renewed=SEQUENCE / 2, size=32, workers=1
)
"""Three sequences, two of them in memory: a new one every second step."""
SIZE, COUNT = 48, 6


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Renders made ahead, by one process."""
    return render_ahead(SMALL, 5, tmp_path_factory.mktemp("made"))


def copied(made: list[Path], folder: Path) -> list[Path]:
    """The same files in a folder of a test that changes them."""
    shutil.copytree(made[0].parent, folder / made[0].parent.name)
    return [folder / path.parent.name / path.name for path in made]


def batches(paths: list[Path], **changes: object) -> RenderBatches:
    backgrounds = np.random.default_rng(0).integers(0, 256, (3, 40, 40, 3), dtype=np.uint8)
    return RenderBatches(
        replace(SMALL, **changes), paths, backgrounds, COUNT, SIZE, 7, 0, 1, compose_batch
    )


def equal(one: LabelledBatch, other: LabelledBatch) -> bool:
    names = ("images", "mask", "joints2d", "joints3d", "camera")
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in names)


def nearly(first: PriorSet, second: PriorSet) -> bool:
    """But for the rounding that, on some processors, is another with another count of threads."""
    for a, b in zip(vars(first).values(), vars(second).values(), strict=True):
        if not np.allclose(a, b, rtol=0, atol=1.0 if a.dtype == np.uint8 else 1e-4):
            return False
    return True


def test_renders_made_ahead_are_those_of_their_numbers(made):
    assert [path.name for path in made] == ["0000000.npz", "0000001.npz", "0000002.npz"]
    for number, path in enumerate(made):
        assert nearly(load_prior(path), label_renders(render_sequence(SMALL, 5, number)))


def test_the_camera_of_the_labels_looks_at_the_pelvis(made):
    """Who stands aside is labelled as if the camera had been turned to them."""
    renders = render_sequence(SMALL, 5, 0)
    pelvis = renders.joints3d[:, :1]
    ahead = renders.joints3d - pelvis + [0.0, 0.0, 4.0]
    aside = ahead @ Rotation.from_euler("y", 25, degrees=True).as_matrix().T
    labels = [label_renders(replace(renders, joints3d=joints)) for joints in (ahead, aside)]
    np.testing.assert_allclose(labels[0].camera[:, :6], labels[1].camera[:, :6], atol=1e-4)
    np.testing.assert_allclose(labels[0].joints3d, labels[1].joints3d, atol=1e-4)


def test_what_is_there_is_not_made_again(made, tmp_path, monkeypatch):
    """Whoever the workers are, and whatever they are asked for besides."""
    first, second, third = paths = copied(made, tmp_path)
    third.write_bytes(b"of somebody")
    assert render_ahead(SMALL, 5, tmp_path) == paths
    assert third.read_bytes() == b"of somebody"
    second.unlink()
    asked = []
    monkeypatch.setattr(render_stream, "ProcessPoolExecutor", here(asked))
    more = replace(SMALL, renders=4 * SEQUENCE, workers=2, held=5, loaders=0)
    found = render_ahead(more, 5, tmp_path)
    assert found[:3] == paths and len(found) == 4
    assert asked == [(1, second), (3, found[3])]
    assert nearly(load_prior(second), load_prior(made[1]))
    assert first.read_bytes() == made[0].read_bytes()
    for other in (replace(SMALL, video_like=0.0), replace(SMALL, size=40)):
        assert render_ahead(replace(other, renders=1), 5, tmp_path)[0].parent != first.parent
    assert render_ahead(replace(SMALL, renders=1), 6, tmp_path)[0].parent != first.parent


def here(asked: list) -> type:
    """In place of processes, which the real ones of other tests show: what is made, and by whom."""

    class Here:
        def __init__(self, *_: object) -> None: ...

        def __enter__(self) -> "Here":
            return self

        def __exit__(self, *_: object) -> None: ...

        def map(self, make: Callable, numbers: tuple[int, ...], paths: tuple[Path, ...]) -> map:
            asked.extend(zip(numbers, paths, strict=True))
            return map(make, numbers, paths)

    return Here


def test_a_batch_is_decided_by_its_number_alone(made):
    """Whatever came before it: a resumed run sees the same."""
    straight = batches(made)
    found = [straight[number] for number in range(8)]
    for number in (0, 5, 7):
        assert equal(batches(made)[number], found[number])
    assert not equal(found[0], found[1])
    assert found[0].images.shape == (COUNT, 3, SIZE, SIZE)
    assert not equal(batches(made, held=SEQUENCE)[5], found[5]), "another pool is another choice"


def test_renders_make_way_for_others(made):
    several = batches(made, held=2 * SEQUENCE)
    held = []
    for number in range(8):
        several[number]
        held.append(sorted(several.in_slot.tolist()))
    assert held == [[0, 1], [0, 1], [1, 2], [1, 2], [0, 2], [0, 2], [0, 1], [0, 1]]
    rows = several.renders.joints2d[several.in_slot.tolist().index(1) * SEQUENCE :][:SEQUENCE]
    np.testing.assert_array_equal(rows, load_prior(made[1]).joints2d)


@pytest.mark.parametrize("loaders", [0, 2])
def test_loaders_or_none_give_the_same_in_order(made, loaders):
    expected = batches(made)
    stream = batches_from(batches(made), 3, loaders)
    for number in (3, 4, 5, 6):
        assert equal(next(stream), expected[number])


@pytest.mark.parametrize("loaders", [0, 1])
def test_a_broken_file_is_one_line(made, tmp_path, loaders):
    paths = copied(made, tmp_path)
    paths[1].write_bytes(paths[1].read_bytes()[:2000])
    with pytest.raises(BadInputError, match=r"^\S*0000001\.npz is no npz file of labelled renders"):
        next(batches_from(batches(paths), 0, loaders))


def test_poses_are_made_once_and_by_their_numbers(tmp_path, monkeypatch):
    asked: list = []
    monkeypatch.setattr(render_stream, "_CHUNK", 2)
    monkeypatch.setattr(render_stream, "ProcessPoolExecutor", here(asked))
    config = replace(SMALL, poses=3 * SEQUENCE)
    poses = poses_ahead(config, 5, tmp_path)
    assert len(asked) == 2 and poses.shape == (4 * SEQUENCE, 17, 3)
    np.testing.assert_array_equal(
        poses[2 * SEQUENCE : 3 * SEQUENCE], random_moments(config.motion, 5, 2)
    )
    np.testing.assert_array_equal(
        poses_ahead(replace(config, poses=SEQUENCE), 5, tmp_path), poses[:64]
    )
    assert len(asked) == 2, "both files were there"
    asked[0][1].write_bytes(b"no array")
    with pytest.raises(
        BadInputError, match=r"poses_0000000\.npy is no npy file of poses"
    ) as caught:
        poses_ahead(config, 5, tmp_path)
    assert "\n" not in str(caught.value)


def test_motions_that_have_changed_are_not_taken_for_those_of_before(tmp_path, monkeypatch):
    """Files of another content under the same folder's name."""
    asked: list = []
    monkeypatch.setattr(render_stream, "ProcessPoolExecutor", here(asked))
    monkeypatch.setattr(render_stream, "_make_poses", lambda config, seed, number, path: asked)
    clips = tmp_path / "clips"
    (clips / "deep").mkdir(parents=True)
    config = replace(SMALL, poses=SEQUENCE, motion=MotionConfig(clips=clips))
    folders = set()
    for text in ("a walk", "a longer walk", "a longer walk"):
        (clips / "deep" / "walk.bvh").write_text(text)
        os.utime(clips / "deep" / "walk.bvh", ns=(0, len(text)))
        with pytest.raises(BadInputError):  # as nobody made the file
            poses_ahead(config, 5, tmp_path / "made")
        folders.add(asked[-1][1].parent)
    assert len(folders) == 2


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (StreamConfig, {"renders": -1}, "--renders -1: must be at least 0"),
        (StreamConfig, {"held": 0}, "--held 0: must be at least 1"),
        (StreamConfig, {"renewed": -1.0}, "--renewed -1.0"),
        (StreamConfig, {"renewed": float("nan")}, "--renewed nan"),
        (StreamConfig, {"poses": -1}, "--poses -1"),
        (StreamConfig, {"pose_batch": 1}, "--pose-batch 1"),
        (StreamConfig, {"loaders": -1}, "--loaders -1"),
        (StreamConfig, {"size": 0}, "--size 0"),
        (StreamConfig, {"video_like": 1.5}, "--video-like 1.5"),
        *(
            (CompositionConfig, {name: value}, f"--{name}")
            for name, value in {
                **{"length": (0.9, 0.6), "shift": -0.1, "roll": 181.0, "others": -1.0},
                **{"hidden": -0.1, "grey": 1.5, "noise": 256.0, "jpeg": float("nan")},
            }.items()
        ),
        (StreamConfig, {"workers": -1}, "--workers -1"),
        (MotionConfig, {"captured": -1.0}, "--captured -1.0"),
        (MotionConfig, {"captured": 0.0, "mixed": 0.0, "procedural": 0.0}, "--captured.*nobody"),
        (SceneConfig, {"sun": (60.0, 50.0)}, "--sun.*the smaller one first"),
    ],
)
def test_bad_settings_are_named(kind, settings, message):
    with pytest.raises(BadInputError, match=message) as caught:
        kind(**settings)
    assert "\n" not in str(caught.value)


def test_a_clip_that_is_no_humans_is_named(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(render_stream, "ProcessPoolExecutor", here([]))
    (tmp_path / "pendulum.bvh").write_text("HIERARCHY\n")
    config = replace(SMALL, motion=MotionConfig(clips=tmp_path))
    with pytest.raises(BadInputError, match=r"pendulum\.bvh") as caught:
        render_ahead(config, 0, tmp_path / "made")
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "made").rglob("*.npz"))
