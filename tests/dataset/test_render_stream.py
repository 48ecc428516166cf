import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

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
from kinepose.geometry.skeleton import JOINT_NAMES
from kinepose.io.errors import BadInputError
from kinepose.method.batches import LabelledBatch
from kinepose.method.camera_projection import project
from kinepose.synthetic.config import MotionConfig, SceneConfig
from kinepose.synthetic.single_images import SEQUENCE, Renders, render_sequence

SMALL = StreamConfig(
    renders=2 * SEQUENCE + 1, held=2 * SEQUENCE, renewed=SEQUENCE / 2, size=32, workers=1
)
"""Three sequences, two of them in memory: a new one every second step."""
SIZE, COUNT = 48, 6


@pytest.fixture(scope="module")
def sequences() -> list[Renders]:
    """Eight people, each in one set of clothes."""
    return [render_sequence(StreamConfig(size=64), seed=2, number=number) for number in range(8)]


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
    with pytest.raises(BadInputError, match=r"poses_0000000\.npy is broken") as caught:
        poses_ahead(config, 5, tmp_path)
    assert "\n" not in str(caught.value)


def test_a_sequence_is_one_person_in_one_set_of_clothes_in_different_poses(sequences):
    for sequence in sequences:
        bones = sequence.joints3d[:, [2, 3, 5, 12]] - sequence.joints3d[:, [1, 2, 4, 11]]
        lengths = np.linalg.norm(bones, axis=-1)
        np.testing.assert_allclose(lengths, lengths[:1].repeat(SEQUENCE, 0), rtol=1e-3)
        poses = label_renders(sequence).joints3d
        apart = np.linalg.norm(poses[1:] - poses[:-1], axis=-1).mean(-1)
        assert np.median(apart) > 0.02, "[canonical]"
    legs = [
        np.linalg.norm(sequence.joints3d[0, 2] - sequence.joints3d[0, 1]) for sequence in sequences
    ]
    assert np.ptp(legs) > 20, "[mm]"
    colours = np.stack([sequence.image[sequence.mask == 255].mean(0) for sequence in sequences])
    assert colours.std(0).min() > 10


def test_people_fill_their_images(sequences):
    joints2d = np.concatenate([sequence.joints2d for sequence in sequences])
    middle = (joints2d.min(1) + joints2d.max(1)) / 2
    assert np.abs(middle).mean() < 0.1
    largest = np.abs(joints2d).max((1, 2))
    assert np.median(largest) > 0.75 and largest.max() < 1 / 1.1
    border = np.concatenate([sequence.mask[:, [0, -1]] for sequence in sequences])
    assert not (border > 128).any(), "hands and feet stay inside"
    for sequence in sequences:
        assert (sequence.image[sequence.mask == 0] == 0).all(), "people are on black"


def test_joints_lie_on_the_mask(sequences):
    inside = []
    for sequence in sequences:
        size = sequence.mask.shape[1]
        pixels = np.floor((sequence.joints2d + 1) / 2 * size).astype(int)
        for mask, joints in zip(sequence.mask, pixels, strict=True):
            grown = cv2.dilate((mask > 80).astype(np.uint8), np.ones((3, 3), np.uint8))
            x, y = joints[((joints >= 0) & (joints < size)).all(1)].T
            inside.append(grown[y, x])
    inside = np.concatenate(inside)
    assert len(inside) > 0.97 * 8 * SEQUENCE * 17
    assert inside.mean() > 0.998


def test_labels_are_opencvs_projection(sequences):
    """Of joints3d in the camera's axes, with the focal length that fits best."""
    for sequence in sequences[:2]:
        for joints3d, joints2d in zip(
            sequence.joints3d.astype(float), sequence.joints2d, strict=True
        ):
            sight = joints3d[:, :2] / joints3d[:, 2:]
            focal = float((sight * joints2d).sum() / (sight**2).sum())
            matrix = np.diag([focal, focal, 1.0])
            expected, _ = cv2.projectPoints(joints3d, np.zeros(3), np.zeros(3), matrix, None)
            half = sequence.mask.shape[1] / 2
            assert np.abs(expected[:, 0] - joints2d).max() * half < 1e-3, "[px]"


def test_the_models_camera_shows_them_so(sequences):
    for sequence in sequences:
        labels = label_renders(sequence)
        joints3d, camera = torch.from_numpy(labels.joints3d), torch.from_numpy(labels.camera)
        away = project(joints3d, camera).numpy() - sequence.joints2d
        residual = np.sqrt((away**2).sum(-1).mean(-1))
        np.testing.assert_allclose(residual, labels.camera_residual, atol=1e-5)
        assert residual.max() < 0.06


def test_left_is_left(sequences):
    """In the frame C noses are before the neck, toes are not behind, and knees bend backward."""
    joints = np.concatenate([label_renders(sequence).joints3d for sequence in sequences])
    assert (joints[:, JOINT_NAMES.index("nose"), 0] > joints[:, 8, 0]).all()
    thighs = joints[:, [2, 5]] - joints[:, [1, 4]]
    shins = joints[:, [3, 6]] - joints[:, [2, 5]]
    axes = np.cross(thighs, shins)
    size = np.linalg.norm(thighs, axis=-1) * np.linalg.norm(shins, axis=-1)
    bent = np.linalg.norm(axes, axis=-1) > 0.6 * size
    leftward = (axes * (joints[:, 4] - joints[:, 1])[:, None]).sum(-1)
    assert bent.sum() > 50 and (leftward[bent] > 0).all()


def test_most_people_look_like_those_of_videos_and_some_like_the_papers_renders():
    def shadows(video: float) -> list[int]:
        config = StreamConfig(size=32, video_like=video, dressed=0.0)
        return [int(render_sequence(config, 0, number).shadow.max()) for number in range(3)]

    assert min(shadows(1.0)) > 0
    assert max(shadows(0.0)) == 0, "software that shades a model casts no shadows"


def test_settings_of_motion_and_scene_are_heeded(tmp_path):
    def sequence(**settings: object) -> Renders:
        return render_sequence(replace(SMALL, video_like=1.0, **settings), seed=0, number=0)

    plain = sequence()
    still = sequence(motion=MotionConfig(captured=0.0, mixed=0.0, procedural=1.0, perturbation=0.0))
    assert not np.array_equal(still.joints3d, plain.joints3d)
    dark = sequence(scene=SceneConfig(exposure=(0.1, 0.1)))
    assert np.array_equal(dark.mask, plain.mask)
    assert dark.image.mean() < 0.5 * plain.image.mean()
    overcast = sequence(scene=SceneConfig(softness=(1.0, 1.0)))
    bare = sequence(scene=SceneConfig(softness=(0.0, 0.0)))
    assert overcast.shadow.max() < 0.5 * bare.shadow.max()


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
