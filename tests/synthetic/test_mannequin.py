import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from kinepose.geometry.skeleton import JOINT_NAMES
from kinepose.synthetic.body import random_person
from kinepose.synthetic.config import MotionConfig, SceneConfig
from kinepose.synthetic.lighting import Light, random_light
from kinepose.synthetic.mannequin import (
    Mannequin,
    _faces,
    mannequin_vertices,
    random_mannequin,
    render_mannequin,
)
from kinepose.synthetic.motion import roam
from kinepose.synthetic.motion_sampling import random_motion
from kinepose.synthetic.renderer import Camera, Rendered, to_camera, to_image
from kinepose.synthetic.scene import Actor, place, random_camera

AROUND, RINGS, FACES = 9, 9, 144
"""Of a limb: vertices a ring, rings, and faces."""
SIZE = 96
LIMBS = [
    (f"{side}_{start}", f"{side}_{end}")
    for side in ("left", "right")
    for start, end in [
        ("hip", "knee"),
        ("knee", "ankle"),
        ("shoulder", "elbow"),
        ("elbow", "wrist"),
    ]
]


@pytest.fixture(scope="module")
def actor() -> Actor:
    generator = np.random.default_rng(2)
    motion = random_motion(generator, 24, 5.0, MotionConfig())
    return place(roam(generator, motion, 5.0, 0.8), random_person(generator), 5.0)


def camera_of(actor: Actor, moving: bool) -> Camera:
    return random_camera(np.random.default_rng(1), actor, SIZE, 5.0, moving, SceneConfig())


def limbs_of(vertices: torch.Tensor) -> torch.Tensor:
    """[frames, limbs, rings, around, 3]"""
    return vertices.unflatten(1, (-1, RINGS, AROUND))


def limb_between(actor: Actor, start: str, end: str) -> int:
    """The limb whose first and last full rings have these joints as their middles."""
    middles = limbs_of(mannequin_vertices(actor, 1.0)).mean(3)
    away = [
        (middles[:, :, ring] - actor.joints[:, None, JOINT_NAMES.index(name)]).norm(dim=-1)
        for ring, name in ((2, start), (6, end))
    ]
    farthest = torch.stack(away).amax((0, 1))
    assert farthest.min() < 1e-5, f"nothing runs from {start} to {end}"
    return int(farthest.argmin())


def sun(*direction: float) -> Light:
    light = random_light(np.random.default_rng(0), "foreign", SceneConfig())
    return replace(light, direction=direction)


def painted(actor: Actor, camera: Camera, white: list[int]) -> Rendered:
    """Some limbs in white, the others in black, in the same light from all sides."""
    vertices = mannequin_vertices(actor, 1.0)
    facets = torch.zeros(limbs_of(vertices).shape[1], FACES, 3)
    facets[white] = 1.0
    mannequin = Mannequin(1.0, facets.flatten(0, 1), (1.0, 1.0, 1.0), (1.0, 1.0, 1.0))
    return render_mannequin(vertices, mannequin, sun(0.0, 0.0, 1.0), camera)


@pytest.mark.parametrize(("start", "end"), LIMBS)
def test_limbs_run_from_joint_to_joint(actor, start, end):
    limb_between(actor, start, end)


def test_limbs_are_closed_and_their_faces_look_outwards(actor):
    """By Gauss' theorem: the volume within the faces is that of a frustum and two round ends."""
    faces, vertices = _faces().long(), mannequin_vertices(actor, 1.3)[0].double()
    corners = vertices[faces].unflatten(0, (-1, FACES))
    volumes = torch.linalg.det(corners).sum(1) / 6
    rings = limbs_of(vertices[None])[0]
    first, last = rings[:, 2], rings[:, 6]
    length = (first.mean(1) - last.mean(1)).norm(dim=-1)
    start, end = (
        (ring - ring.mean(1, keepdim=True)).norm(dim=-1).mean(1) for ring in (first, last)
    )
    area = AROUND / 2 * math.sin(2 * math.pi / AROUND)  # of a polygon in a circle of radius 1
    frustum = area / 3 * length * (start**2 + start * end + end**2)
    ends = 2 / 3 * math.pi * (start**3 + end**3)
    assert (volumes > frustum).all() and (volumes < frustum + ends).all()
    edges = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    directed = set(map(tuple, edges.tolist()))
    assert len(directed) == len(edges), "neighbours agree on which side is out"
    alone = [edge for edge in directed if edge[::-1] not in directed]
    assert len(alone) == 2 * AROUND * len(rings), "but for the two pinholes at the ends"


@pytest.mark.parametrize("moving", [False, True])
def test_joints_lie_on_the_mask(actor, moving):
    camera = camera_of(actor, moving)
    pixels = to_image(camera, to_camera(camera, actor.joints)).floor().long().numpy()
    inside = []
    for mask, joints in zip(painted(actor, camera, []).mask.numpy(), pixels, strict=True):
        x, y = joints[((joints >= 0) & (joints < SIZE)).all(1)].T
        inside.append(cv2.dilate((mask > 0.3).astype(np.uint8), np.ones((3, 3), np.uint8))[y, x])
    inside = np.concatenate(inside)
    assert len(inside) > 300 and inside.all()


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_forearm_of_a_side_is_painted_where_the_joints_of_that_side_are(actor, side):
    camera = camera_of(actor, moving=True)
    ends = [f"{side}_elbow", f"{side}_wrist"]
    rendered = painted(actor, camera, [limb_between(actor, *ends)])
    seen = to_image(camera, to_camera(camera, actor.joints))
    seen = seen[:, [JOINT_NAMES.index(end) for end in ends]]
    pixels = torch.stack(torch.meshgrid(*2 * [torch.arange(SIZE)], indexing="xy"), -1) + 0.5
    found = 0
    for colour, joints in zip(rendered.colour, seen, strict=True):
        arm = pixels[colour[..., 0] > 0.9]
        if len(arm) > 8:
            found += 1
            along = (arm - joints[0]) @ (joints[1] - joints[0]) / (joints[1] - joints[0]).norm()
            across = (arm - joints[0]).square().sum(-1) - along.square()
            assert across.clamp(min=0).sqrt().max() < 4, "[px]"
    assert found > 8


def test_a_colour_is_lit_in_three_bands_from_cool_below_to_warm_above(actor):
    camera = camera_of(actor, moving=False)
    vertices = mannequin_vertices(actor, 1.0)
    cool, warm, own = (0.2, 0.3, 0.6), (1.0, 0.9, 0.7), torch.tensor([0.2, 0.6, 0.4])
    mannequin = Mannequin(1.0, own.repeat(len(limbs_of(vertices)[0]) * FACES, 1), cool, warm)
    rendered = render_mannequin(vertices, mannequin, sun(0.0, 0.0, 1.0), camera)
    inside = rendered.colour[rendered.mask == 1]
    tones = torch.lerp(torch.tensor(cool), torch.tensor(warm), torch.tensor([[0.0], [0.5], [1.0]]))
    bands = (0.25 + 0.75 * own) * tones
    apart = (inside[:, None] - bands).abs().amax(-1)
    shares = (apart < 1e-5).float().mean(0)
    assert shares.min() > 0.02 and shares.sum() > 0.5, "the others are edges between bands"
    blend = (inside - bands[0]) @ (bands[2] - bands[0]) / (bands[2] - bands[0]).square().sum()
    torch.testing.assert_close(
        inside, torch.lerp(bands[0], bands[2], blend[:, None]), atol=1e-5, rtol=0
    )
    rows = torch.nonzero(rendered.mask == 1)[:, 1].float()
    lit, dark = (rows[apart[:, band] < 1e-5].mean() for band in (2, 0))
    assert lit < dark, "who is lit from above is lit above"


def test_the_shadow_lies_where_the_sun_throws_it(actor):
    camera, mannequin = camera_of(actor, moving=False), random_mannequin(np.random.default_rng(0))
    vertices, columns = mannequin_vertices(actor, mannequin.girth), []
    right_x, right_y, _ = camera.rotation[0, 0].tolist()
    for sign in (-0.8, 0.8):
        light = sun(sign * right_x, sign * right_y, 0.6)
        shadow = render_mannequin(vertices, mannequin, light, camera).shadow
        columns.append(torch.nonzero(shadow)[:, 2].float().mean())
    assert columns[0] > columns[1] + 10, "away from the sun [px]"


def test_mannequins_differ_and_come_back_with_their_seed():
    mannequins = [random_mannequin(np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert (
        torch.equal(mannequins[0].facets, mannequins[1].facets)
        and mannequins[0].girth == mannequins[1].girth
    )
    assert (mannequins[0].facets - mannequins[2].facets).abs().mean() > 0.05
    for mannequin in mannequins:
        assert mannequin.facets.min() >= 0 and mannequin.facets.max() <= 1
