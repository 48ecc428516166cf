import numpy as np
import pytest
import torch

from kinepose.synthetic.body import RIG, load_body, pose_bones, random_person
from kinepose.synthetic.clothing import Covering, Cut, Material, Outfit, Skirt
from kinepose.synthetic.config import SceneConfig
from kinepose.synthetic.joint_limits import from_swing_twist
from kinepose.synthetic.lighting import random_light
from kinepose.synthetic.renderer import Camera, look_at, render
from kinepose.synthetic.scene import Actor
from kinepose.synthetic.skirt import hang_skirt, skirt_faces
from kinepose.synthetic.video_frames import dressed

CUT = Cut(collar=0.7, waist=0.2, hem=-0.05, shoe=-0.7, sleeve=0.5, hair=0.0, nape=0.7, hat=9.0)

WHITE = np.ones((2, 2, 3), np.float32)


def dancer(seed: int) -> Actor:
    """Arms out to the sides, the left thigh lifted forward a little."""
    pose = torch.tensor([0.0, 0.0, 0.0, 1.0]).repeat(1, 13, 1)
    for bone, angles in {
        "left_shoulder": (0.0, -1.4, 0.0),
        "right_shoulder": (0.0, 1.4, 0.0),
        "left_hip": (-0.4, 0.0, 0.0),
    }.items():
        pose[0, RIG.index(bone)] = from_swing_twist(torch.tensor(angles))
    person = random_person(np.random.default_rng(seed))
    return Actor(*pose_bones(load_body(), person, pose), person)


def rendered(actor: Actor, skirt: Skirt, azimuth: float) -> torch.Tensor:
    """Skin red, top green, bottom blue; [96, 96, 3]."""
    red, green, blue = (
        Material((1.0, 0.0, 0.0)),
        Material((0.0, 1.0, 0.0)),
        Material((0.0, 0.0, 1.0)),
    )
    materials = {Covering.TOP: green, Covering.BOTTOM: blue}
    outfit = Outfit(tuple(materials.get(covering, red) for covering in Covering), CUT, WHITE, skirt)
    clothed_mesh, vertices = dressed(actor, outfit)
    target = actor.joints[:, 0]
    position = target + 4 * torch.tensor([[np.cos(azimuth), np.sin(azimuth), 0.0]]).float()
    rotation = look_at(position, target, torch.zeros(1))
    camera = Camera(rotation, position, torch.tensor([180.0]), 96, 96)
    light = random_light(np.random.default_rng(0), "render", SceneConfig())
    return render(vertices, clothed_mesh, [outfit], [light], camera).colour[0]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("azimuth", [-1.6, 0.0, 1.6, 2.5])
def test_legs_are_inside_the_skirt(seed, azimuth):
    """Between the hips and the knees there is cloth and no skin."""
    actor = dancer(seed)
    colour = rendered(actor, Skirt(0.5, 0.1, Covering.BOTTOM), azimuth)
    rows = actor.joints[0, [0, 2], 2] - actor.joints[0, 0, 2]
    hips, knee = (48 - 180 / 4 * rows).round().int().tolist()
    thighs = colour[hips : knee - 4]
    red, _, blue = (thighs > 0.2).unbind(-1)
    assert blue.sum() > 100
    assert red.sum() <= 2


def test_a_coat_is_of_the_top_and_a_long_skirt_reaches_the_shins():
    actor = dancer(0)
    coat = rendered(actor, Skirt(0.5, 0.1, Covering.TOP), 0.0)
    assert (coat[50:, :, 1] > 0.2).sum() > 100 and (coat[52:60, :, 2] > 0.2).sum() == 0
    short, long = (
        (rendered(actor, Skirt(length, 0.1, Covering.BOTTOM), 0.0)[..., 2] > 0.2).any(1).sum()
        for length in (0.3, 0.8)
    )
    assert long > short + 10


def test_the_cloth_has_two_sides_and_moves_with_the_body():
    skirt = Skirt(0.6, 0.1, Covering.BOTTOM)
    actor = dancer(0)
    vertices = hang_skirt(load_body(), actor.vertices, actor.joints, skirt)
    half = vertices.shape[1] // 2
    assert torch.equal(vertices[:, :half], vertices[:, half:])
    outside, inside = skirt_faces().long().chunk(2)
    assert torch.equal(outside.flip(1) + half, inside)
    shift = torch.tensor([1.0, -2.0, 0.5])
    moved = hang_skirt(load_body(), actor.vertices + shift, actor.joints + shift, skirt)
    torch.testing.assert_close(moved, vertices + shift, atol=1e-5, rtol=0)
