from dataclasses import fields, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from kinepose.dataset.render_stream import Stream, label_renders, opened
from kinepose.dataset.renders import PriorSet
from kinepose.errors import BadInputError
from kinepose.geometry.skeleton import JOINT_NAMES
from kinepose.method.camera_projection import project
from kinepose.settings import MotionConfig, SceneConfig, StreamConfig
from kinepose.synthetic.single_images import MARGIN, TAKE, Renders, render_take

SMALL = StreamConfig(pool=2 * TAKE, first=TAKE, renewed=TAKE / 2, size=32, workers=0)
"""Of two takes: a new one every second step."""


@pytest.fixture(scope="module")
def takes() -> list[Renders]:
    """Eight people, each in one set of clothes."""
    return [render_take(StreamConfig(size=64), seed=2, number=number) for number in range(8)]


def same(first: PriorSet, second: PriorSet) -> bool:
    """But for the rounding that, on some processors, is another with another count of threads."""
    pairs = zip(vars(first).values(), vars(second).values(), strict=True)
    return all(np.allclose(a, b, rtol=0, atol=1e-4) for a, b in pairs)


def take_of(pool: PriorSet, slot: int) -> PriorSet:
    """A copy of one of the takes that lie in the pool."""
    rows = slice(slot * TAKE, (slot + 1) * TAKE)
    return PriorSet(*(getattr(pool, field.name)[rows].copy() for field in fields(PriorSet)))


def alone(number: int) -> PriorSet:
    return label_renders(render_take(SMALL, seed=5, number=number))


def test_the_pool_fills_and_then_its_oldest_takes_are_replaced():
    stream = Stream(SMALL, seed=5)
    held = {0: [0], 1: [0], 2: [0, 1], 4: [2, 1], 6: [2, 3], 7: [2, 3]}
    for step, numbers in held.items():
        pool = stream.at(step)
        assert len(pool.image) == len(numbers) * TAKE
        for slot, number in enumerate(numbers):
            assert same(take_of(pool, slot), alone(number)), (step, slot)


def test_a_resumed_run_and_workers_see_the_same_pool():
    straight = Stream(SMALL, seed=5)
    for step in range(6):
        straight.at(step)
    expected = straight.at(6)
    assert same(Stream(SMALL, seed=5).at(6), expected), "whatever was before the sixth step"
    assert not same(Stream(SMALL, seed=6).at(6), expected)
    with opened(replace(SMALL, workers=2), seed=5) as stream:
        stream.at(1)
        assert same(stream.at(6), expected), "whoever renders it"


@pytest.mark.parametrize(("pool", "first", "rows"), [(1, 1, 1), (70, 1, 1), (40, 999, 1)])
def test_any_size_of_pool_has_something_to_begin_with(pool, first, rows):
    stream = Stream(replace(SMALL, pool=pool, first=first), seed=5)
    assert len(stream.at(0).image) == rows * TAKE


def test_a_take_is_one_person_in_one_set_of_clothes_in_different_poses(takes):
    for take in takes:
        bones = take.joints3d[:, [2, 3, 5, 12]] - take.joints3d[:, [1, 2, 4, 11]]
        lengths = np.linalg.norm(bones, axis=-1)
        np.testing.assert_allclose(lengths, lengths[:1].repeat(TAKE, 0), rtol=1e-3)
        poses = label_renders(take).joints3d
        apart = np.linalg.norm(poses[1:] - poses[:-1], axis=-1).mean(-1)
        assert np.median(apart) > 0.02, "[canonical]"
    legs = [np.linalg.norm(take.joints3d[0, 2] - take.joints3d[0, 1]) for take in takes]
    assert np.ptp(legs) > 20, "[mm]"
    colours = np.stack([take.image[take.mask == 255].mean(0) for take in takes])
    assert colours.std(0).min() > 10


def test_people_are_in_the_middle_with_room_to_turn_them(takes):
    joints2d = np.concatenate([take.joints2d for take in takes])
    middle = (joints2d.min(1) + joints2d.max(1)) / 2
    assert np.abs(middle).mean() < 0.06
    largest = np.abs(joints2d).max((1, 2)) * MARGIN
    assert np.quantile(largest, 0.95) < 1, "the crop of a person holds all of the person"
    assert np.median(largest) > 0.25, "and not much else"
    for take in takes:
        assert (take.image[take.mask == 0] == 0).all(), "people are on black"


def test_joints_lie_on_the_mask(takes):
    inside = []
    for take in takes:
        size = take.mask.shape[1]
        pixels = np.floor((take.joints2d + 1) / 2 * size).astype(int)
        for mask, joints in zip(take.mask, pixels, strict=True):
            grown = cv2.dilate((mask > 80).astype(np.uint8), np.ones((3, 3), np.uint8))
            x, y = joints[((joints >= 0) & (joints < size)).all(1)].T
            inside.append(grown[y, x])
    inside = np.concatenate(inside)
    assert len(inside) > 0.97 * 8 * TAKE * 17
    assert inside.mean() > 0.998


def test_labels_are_opencvs_projection(takes):
    """Of joints3d in the camera's axes, with the focal length that fits best."""
    for take in takes[:2]:
        for joints3d, joints2d in zip(take.joints3d.astype(float), take.joints2d, strict=True):
            sight = joints3d[:, :2] / joints3d[:, 2:]
            focal = float((sight * joints2d).sum() / (sight**2).sum())
            matrix = np.diag([focal, focal, 1.0])
            expected, _ = cv2.projectPoints(joints3d, np.zeros(3), np.zeros(3), matrix, None)
            half = take.mask.shape[1] / 2
            assert np.abs(expected[:, 0] - joints2d).max() * half < 1e-3, "[px]"


def test_the_models_camera_shows_them_so(takes):
    for take in takes:
        labels = label_renders(take)
        joints3d, camera = torch.from_numpy(labels.joints3d), torch.from_numpy(labels.camera)
        away = project(joints3d, camera).numpy() - take.joints2d
        residual = np.sqrt((away**2).sum(-1).mean(-1))
        np.testing.assert_allclose(residual, labels.camera_residual, atol=1e-5)
        assert residual.max() < 0.06


def test_left_is_left(takes):
    """In the frame C noses are before the neck, toes are not behind, and knees bend backward."""
    joints = np.concatenate([label_renders(take).joints3d for take in takes])
    assert (joints[:, JOINT_NAMES.index("nose"), 0] > joints[:, 8, 0]).all()
    thighs = joints[:, [2, 5]] - joints[:, [1, 4]]
    shins = joints[:, [3, 6]] - joints[:, [2, 5]]
    axes = np.cross(thighs, shins)
    size = np.linalg.norm(thighs, axis=-1) * np.linalg.norm(shins, axis=-1)
    bent = np.linalg.norm(axes, axis=-1) > 0.6 * size
    leftward = (axes * (joints[:, 4] - joints[:, 1])[:, None]).sum(-1)
    assert bent.sum() > 50 and (leftward[bent] > 0).all()


def test_most_people_look_like_those_of_films_and_some_like_the_papers_renders():
    def shadows(film: float) -> list[int]:
        config = StreamConfig(size=32, film=film)
        return [int(render_take(config, 0, number).shadow.max()) for number in range(3)]

    assert min(shadows(1.0)) > 0
    assert max(shadows(0.0)) == 0, "software that shades a model casts no shadows"


def test_settings_of_motion_and_scene_are_heeded(tmp_path):
    def take(**settings: object) -> Renders:
        return render_take(replace(SMALL, film=1.0, **settings), seed=0, number=0)

    plain = take()
    still = take(motion=MotionConfig(captured=0.0, mixed=0.0, procedural=1.0, perturbation=0.0))
    assert not np.array_equal(still.joints3d, plain.joints3d)
    dark = take(scene=SceneConfig(exposure=(0.1, 0.1)))
    assert np.array_equal(dark.mask, plain.mask)
    assert dark.image.mean() < 0.5 * plain.image.mean()
    overcast = take(scene=SceneConfig(softness=(1.0, 1.0)))
    bare = take(scene=SceneConfig(softness=(0.0, 0.0)))
    assert overcast.shadow.max() < 0.5 * bare.shadow.max()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pool": -1}, "--pool -1: must be at least 0"),
        ({"first": 0}, "--first 0: must be at least 1"),
        ({"renewed": -1.0}, "--renewed -1.0"),
        ({"renewed": float("nan")}, "--renewed nan"),
        ({"size": 0}, "--size 0"),
        ({"film": 1.5}, "--film 1.5"),
        ({"hidden": -0.1}, "--hidden -0.1"),
        ({"workers": -1}, "--workers -1"),
        ({"motion": {"captured": -1.0}}, "--captured -1.0"),
        ({"motion": {"captured": 0.0, "mixed": 0.0, "procedural": 0.0}}, "--captured.*nobody"),
        ({"scene": {"sun": (60.0, 50.0)}}, "--sun.*the smaller one first"),
    ],
)
def test_bad_settings_are_named(settings, message):
    kinds = {"motion": MotionConfig, "scene": SceneConfig}
    with pytest.raises(BadInputError, match=message) as caught:
        made = {n: kinds[n](**v) if n in kinds else v for n, v in settings.items()}
        Stream(replace(SMALL, **made), seed=0)
    assert "\n" not in str(caught.value)


def test_a_clip_that_is_no_humans_is_named(tmp_path: Path):
    (tmp_path / "pendulum.bvh").write_text("HIERARCHY\n")
    config = replace(SMALL, motion=MotionConfig(clips=tmp_path))
    with opened(config, seed=0) as stream, pytest.raises(BadInputError, match=r"pendulum\.bvh"):
        stream.at(0)


def test_renders_that_are_kept_are_those_that_would_be_made_again(tmp_path):
    kept = replace(SMALL, folder=tmp_path)
    expected = Stream(SMALL, seed=5).at(2)
    assert same(Stream(kept, seed=5).at(2), expected)
    files = sorted(tmp_path.glob("*/*.npz"))
    assert [file.stem for file in files] == ["0000000", "0000001"]
    assert same(Stream(kept, seed=5).at(2), expected)
    first, second = files
    first.write_bytes(second.read_bytes())
    assert not same(Stream(kept, seed=5).at(2), expected), "the files are used"
    other = Stream(replace(kept, noise=0.0), seed=5)
    other.at(0)
    assert len(list(tmp_path.iterdir())) == 1, "noise is no part of a render"
    Stream(replace(kept, film=0.0), seed=5).at(0)
    assert len(list(tmp_path.iterdir())) == 2
