from dataclasses import replace

import numpy as np
import pytest
import torch

from kinepose.synthetic import scene
from kinepose.synthetic.body import random_person
from kinepose.synthetic.config import MotionConfig, SceneConfig
from kinepose.synthetic.motion import roam
from kinepose.synthetic.motion_sampling import random_motion
from kinepose.synthetic.renderer import Camera, look_at, to_camera, to_image
from kinepose.synthetic.scene import Actor, Backdrop, place, random_backdrop, random_camera


def random_actor(seed: int, frames: int = 50, fps: float = 10.0) -> Actor:
    generator = np.random.default_rng(seed)
    motion = random_motion(generator, frames, fps, MotionConfig())
    motion = roam(generator, motion, fps, 1.1)
    return place(motion, random_person(generator), fps)


@pytest.mark.parametrize("seed", range(8))
def test_feet_are_on_the_floor_and_nothing_is_below(seed):
    generator = np.random.default_rng(seed)
    motion = roam(generator, random_motion(generator, 60, 12.0, MotionConfig()), 12.0, 1.1)
    actor = place(motion, random_person(generator), 12.0)
    lowest = actor.vertices[..., 2].amin(1)
    assert lowest.min() > -1e-4
    assert lowest[motion.flight == 0].max() < 1e-4, "only those fly of whom it is meant"
    assert (lowest > 0.05).float().mean() < 0.35, "and not all the time"
    assert lowest.max() < 1.2, "even a backflip does not go higher"
    assert torch.equal(lowest, actor.vertices[..., 2].amin(1))
    joints = actor.joints[..., 2]
    assert joints.min() > 0, "no joint is below the floor"


def test_taller_people_take_longer_steps():
    walk = random_motion(np.random.default_rng(0), 30, 10.0, MotionConfig())
    generator = np.random.default_rng(0)
    legs, ways = [], []
    for _ in range(4):
        actor = place(walk, random_person(generator), 10.0)
        joints = actor.joints
        bones = joints[0, [2, 3]] - joints[0, [1, 2]]
        legs.append(float(bones.norm(dim=-1).sum()))
        ways.append(float((joints[1:, 0, :2] - joints[:-1, 0, :2]).norm(dim=-1).sum()))
    ratios = np.array(ways) / np.array(legs)
    assert max(legs) > 1.05 * min(legs)
    assert ratios.std() < 0.02 * ratios.mean()


@pytest.mark.parametrize("seed", range(6))
def test_a_static_camera_stands_still_and_sees_people_well(seed):
    actor = random_actor(seed)
    camera = random_camera(
        np.random.default_rng(seed), actor, 100, 10.0, moving=False, scene=SceneConfig()
    )
    for part in (camera.rotation, camera.position, camera.focal):
        assert torch.equal(part, part[:1].expand_as(part))
    seen = to_camera(camera, actor.joints)
    assert seen[..., 2].min() > 1.0, "nobody walks through the camera"
    joints = to_image(camera, seen)
    inside = ((joints > 0) & (joints < 100)).all(-1)
    assert inside.float().mean() > 0.9
    heights = joints[..., 1].amax(1) - joints[..., 1].amin(1)
    assert heights.max() > 25, "people are not specks"


@pytest.mark.parametrize("seed", range(4))
def test_a_moving_camera_moves_and_keeps_people_in_view(seed):
    actor = random_actor(seed)
    camera = random_camera(
        np.random.default_rng(seed), actor, 100, 10.0, moving=True, scene=SceneConfig()
    )
    assert (camera.rotation[1:] - camera.rotation[:-1]).abs().amax((1, 2)).min() > 0
    assert camera.focal.std() > 0
    pelvis = to_image(camera, to_camera(camera, actor.joints))[:, 0]
    assert ((pelvis > 0) & (pelvis < 100)).all(-1).float().mean() > 0.9


def test_a_static_camera_looks_from_where_the_way_lies_spread_out():
    """Someone who goes to and fro along x is recorded from about y."""
    actor = random_actor(0)
    ramp = torch.linspace(-2, 2, 50)[:, None] * torch.tensor([1.0, 0.0, 0.0])
    actor = replace(
        actor,
        vertices=actor.vertices - actor.joints[:, :1] + ramp[:, None],
        joints=actor.joints - actor.joints[:, :1] + ramp[:, None],
    )
    for seed in range(4):
        camera = random_camera(
            np.random.default_rng(seed), actor, 100, 10.0, moving=False, scene=SceneConfig()
        )
        assert camera.rotation[0, 0, 0].abs() > 0.7


def test_cameras_stand_where_the_settings_say():
    """Six metres off, three high, not rolled; those that move neither zoom nor sway."""
    actor = random_actor(0)
    scene = SceneConfig(distance=(6.0, 6.0), height=(3.0, 3.0), roll=0.0, zoom=0.0, shake=0.0)

    def camera(moving: bool, **changes: float) -> Camera:
        changed = replace(scene, **changes)
        return random_camera(np.random.default_rng(3), actor, 100, 10.0, moving, changed)

    still = camera(moving=False)
    pelvis = actor.joints[:, 0, :2]
    middle = (pelvis.amin(0) + pelvis.amax(0)) / 2
    torch.testing.assert_close(still.position[0, 2], torch.tensor(3.0))
    torch.testing.assert_close((still.position[0, :2] - middle).norm(), torch.tensor(6.0))
    assert still.rotation[0, 0, 2].abs() < 1e-6, "the image's x is level"
    assert camera(False, roll=30.0).rotation[0, 0, 2].abs() > 0.05
    steady = camera(moving=True)
    assert (steady.focal / steady.focal[0] - 1).abs().max() < 1e-6
    assert camera(True, zoom=0.3).focal.log().std() > 0.1
    away = (camera(True, shake=0.1).rotation[:, 2] - steady.rotation[:, 2]).norm(dim=-1)
    assert 0.005 < away.mean() < 0.05, "0.1 m at 6 m, about [rad]"


def test_an_empty_scene_has_less_in_it_than_a_cluttered_one():
    camera = turning_camera(1, 64)

    def edges(clutter: float) -> float:
        scenes = [
            random_backdrop(
                np.random.default_rng(seed), camera, False, SceneConfig(clutter=clutter)
            )
            for seed in range(12)
        ]
        return float(
            np.mean([np.abs(np.diff(scene.image.astype(int), axis=1)).mean() for scene in scenes])
        )

    assert edges(30.0) > 1.3 * edges(0.0)


@pytest.mark.parametrize(("which", "moving"), [("training", False), ("test", True)])
def test_a_place_is_seen_as_the_camera_stands(which, moving, monkeypatch):
    """Each pixel of a panorama whose levels say how high above the horizon it is."""
    elevation = np.pi / 2 - (np.arange(256) + 0.5) / 256 * np.pi
    levels = np.round((np.sin(elevation) + 1) * 127.5).astype(np.uint8)
    panorama = np.repeat(np.repeat(levels[:, None, None], 512, 1), 3, 2)
    monkeypatch.setattr(scene, f"{which}_places", lambda: (panorama,))
    monkeypatch.setattr(scene, "recolour", lambda generator, rendered: rendered)
    actor, generator = random_actor(2, frames=6), np.random.default_rng(5)
    camera = random_camera(generator, actor, 40, 10.0, moving, SceneConfig(roll=10.0))
    backdrop = random_backdrop(generator, camera, moving, SceneConfig(places=which))
    for frame, view in enumerate(backdrop.frames()):
        for row, column in ((0, 0), (20, 7), (39, 39)):
            ray = [column + 0.5 - 20, row + 0.5 - 20, float(camera.focal[frame])]
            up = camera.rotation[frame].numpy().T @ (np.array(ray) / np.linalg.norm(ray))
            assert view[row, column, 0] / 127.5 - 1 == pytest.approx(up[2], abs=0.02)


def turning_camera(frames: int, size: int) -> Camera:
    """Turns by some degrees and zooms a little."""
    angle = torch.linspace(0, 0.12, frames)
    position = torch.zeros(frames, 3)
    target = torch.stack([angle.sin(), angle.cos(), 0.05 * angle], dim=-1)
    focal = torch.linspace(1.2, 1.4, frames) * size
    return Camera(look_at(position, target, 0.5 * angle), position, focal, size, size)


def test_the_background_of_a_static_camera_is_still():
    camera = turning_camera(1, 48)
    camera = Camera(
        camera.rotation.expand(5, 3, 3),
        camera.position.expand(5, 3),
        camera.focal.expand(5),
        48,
        48,
    )
    frames = list(random_backdrop(np.random.default_rng(0), camera, False, SceneConfig()).frames())
    assert len(frames) == 5
    assert all(np.array_equal(frame, frames[0]) for frame in frames)
    assert frames[0].std() > 3


def test_the_background_of_a_moving_camera_moves_as_far_things_do():
    """A bright spot at infinity is where the camera's own projection puts it."""
    size = 64
    camera = turning_camera(6, size)
    rendered = np.zeros((2 * size, 2 * size, 3), np.uint8)
    rendered[66:69, 60:63] = 255
    at_first = torch.tensor([[61.5, 67.5]]) - size
    ray = torch.cat([at_first / camera.focal[0], torch.ones(1, 1)], dim=-1) @ camera.rotation[0]
    far = (1e4 * ray).expand(6, 1, 3)
    expected = to_image(camera, to_camera(camera, far))[:, 0]
    assert (expected[-1] - expected[0]).norm() > 5
    for frame, spot in zip(Backdrop(camera, rendered).frames(), expected, strict=True):
        weight = frame.astype(float).sum(-1)
        rows, columns = np.mgrid[:size, :size] + 0.5
        found = np.array([(weight * columns).sum(), (weight * rows).sum()]) / weight.sum()
        assert np.abs(found - spot.numpy()).max() < 0.3
