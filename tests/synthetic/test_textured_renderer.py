from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from kinepose.synthetic.body import Person, load_body, random_person
from kinepose.synthetic.clothing import Covering, Dye, Material
from kinepose.synthetic.clothing_mesh import clothed_mesh_of
from kinepose.synthetic.config import MotionConfig, SceneConfig, SingleImagesConfig
from kinepose.synthetic.garments import load_wardrobe
from kinepose.synthetic.lighting import Light
from kinepose.synthetic.renderer import Camera
from kinepose.synthetic.single_images import render_sequence
from kinepose.synthetic.styles import Style, random_style
from kinepose.synthetic.textured_renderer import Dressed, dress, pose_mesh, render_dressed
from kinepose.synthetic.textures import TEXTURE, pyramid

STREAM = SingleImagesConfig(size=96, dressed=1.0, motion=MotionConfig())


def even_light() -> Light:
    """Everything has its own colour."""
    black, white = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    return Light((0.0, 0.0, 1.0), black, white, white, 1.0, 0.0, 0.0)


def plain_style() -> Style:
    person = random_person(np.random.default_rng(0))
    style = random_style(np.random.default_rng(0), person, SceneConfig())
    count = len(Covering) + 1
    return replace(
        style, garments=(), materials=(Material((1.0, 1.0, 1.0)),) * count, dyes=(Dye(),) * count
    )


def quad(rendered: np.ndarray, cutout: bool = False) -> Dressed:
    """A square of 2 m a side before the camera, its texture as one sees it."""
    corners = torch.tensor([[-1.0, 0, 1], [1, 0, 1], [1, 0, -1], [-1, 0, -1]])
    texture = torch.tensor([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    faces = torch.tensor([[0, 2, 1], [0, 3, 2]], dtype=torch.int32)
    return Dressed(
        rest=corners,
        bone_weights=torch.ones(4, 1),
        clothed_mesh=clothed_mesh_of(faces, torch.zeros(4, 4)),
        lifts=torch.zeros(4),
        texture=texture[faces.long()],
        layers=torch.zeros(2, dtype=torch.int32),
        surfaces=torch.full((2,), len(Covering), dtype=torch.int32),
        texels=torch.from_numpy(pyramid(rendered))[None],
        cutout=torch.tensor([int(cutout)], dtype=torch.int32),
        skin=0,
        hair=4,
    )


def photograph(mesh: Dressed, size: int) -> tuple[np.ndarray, np.ndarray]:
    """From 4 m before it, so that the square fills the middle half of the image."""
    rotation = torch.tensor([[[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]])
    position = torch.tensor([[0.0, -4.0, 0.0]])
    camera = Camera(rotation, position, torch.tensor([float(size)]), size, size)
    shot = render_dressed(
        mesh, mesh.rest[None], torch.zeros(1, 3), plain_style(), even_light(), camera
    )
    return shot.colour[0].numpy(), shot.mask[0].numpy()


def test_a_texel_lands_where_it_should():
    """The image of a textured square is its texture, reduced by area; nothing is mirrored."""
    generator = np.random.default_rng(0)
    small = generator.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    rendered = cv2.resize(small, (TEXTURE, TEXTURE), interpolation=cv2.INTER_CUBIC)
    colour, mask = photograph(
        quad(np.dstack([rendered, np.full_like(rendered[..., :1], 255)])), 128
    )
    expected = cv2.resize(rendered, (64, 64), interpolation=cv2.INTER_AREA) / 255
    np.testing.assert_array_equal(mask[34:94, 34:94], 1.0)
    assert mask.sum() == pytest.approx(64 * 64, rel=0.02)
    off = np.abs(colour[32:96, 32:96] - expected)[2:-2, 2:-2]
    assert off.mean() < 0.04 and off.max() < 0.3, "its samples are half a pixel apart"
    mirrored = np.abs(colour[32:96, 32:96] - expected[:, ::-1])[2:-2, 2:-2]
    assert mirrored.mean() > 4 * off.mean()


def test_fine_patterns_do_not_flicker():
    """A chequerboard finer than the pixels is grey."""
    board = (np.indices((TEXTURE, TEXTURE)).sum(0) // 2 % 2 * 255).astype(np.uint8)
    rendered = np.dstack([board, board, board, np.full_like(board, 255)])
    colour, _ = photograph(quad(rendered), 64)
    np.testing.assert_allclose(colour[18:46, 18:46], 0.5, atol=0.02)


def test_transparent_texels_are_holes():
    rendered = np.full((TEXTURE, TEXTURE, 4), 255, np.uint8)
    rendered[:, TEXTURE // 2 :, 3] = 0
    _, mask = photograph(quad(rendered, cutout=True), 64)
    assert mask[17:47, 17:31].min() == 1 and mask[17:47, 34:47].max() == 0


def test_joints_lie_on_the_dressed_person():
    for number in range(2):
        renders = render_sequence(STREAM, 3, number)
        seen = 0
        for mask, joints in zip(renders.mask, renders.joints2d, strict=True):
            near = cv2.dilate(mask, np.ones((3, 3), np.uint8)) > 0
            columns, rows = np.floor((joints + 1) / 2 * STREAM.size).astype(int).T
            inside = (np.minimum(columns, rows) >= 0) & (np.maximum(columns, rows) < STREAM.size)
            assert near[rows[inside], columns[inside]].all()
            seen += inside.sum()
        assert seen > 16 * len(renders.mask)


def test_the_seed_and_number_decide_what_is_seen():
    first, again = render_sequence(STREAM, 5, 1), render_sequence(STREAM, 5, 1)
    for name, value in vars(first).items():
        np.testing.assert_array_equal(value, getattr(again, name))
    assert (render_sequence(STREAM, 5, 2).image != first.image).any()


def test_posed_vertices_are_the_weighted_mean_of_what_bones_do():
    style = plain_style()
    mesh = dress(style, load_body().adult_coefficients)
    generator = torch.Generator().manual_seed(0)
    transforms = torch.randn(2, len(load_body().bones), 4, 4, generator=generator)
    posed = pose_mesh(mesh, transforms)
    for vertex in (0, 500, len(mesh.rest) - 1):
        expected = sum(
            mesh.bone_weights[vertex, bone] * (transforms[:, bone, :3, :3] @ mesh.rest[vertex])
            + mesh.bone_weights[vertex, bone] * transforms[:, bone, :3, 3]
            for bone in range(len(load_body().bones))
        )
        torch.testing.assert_close(posed[:, vertex], expected, atol=1e-4, rtol=1e-4)


def test_people_wear_what_suits_them():
    generator = np.random.default_rng(0)
    for gender, sex, other in ((0.9, "female", "male"), (0.1, "male", "female")):
        for age, skin in ((0.65, "young"), (0.8, "middleage"), (0.95, "old")):
            person = Person(gender, age, 0.5, 0.5, 0.5, 0.5)
            styles = [random_style(generator, person, SceneConfig()) for _ in range(6)]
            assert all(style.skin.startswith(f"{skin}_") for style in styles)
            assert all(f"_{sex}" in style.skin for style in styles)
            worn = {name for style in styles for name in style.garments}
            assert not any(f".{other}_" in name for name in worn)
            assert worn <= set(load_wardrobe().garments)


def test_women_are_never_topless_nor_anyone_without_trousers():
    """Painted clothes cover what no garment does."""
    generator = np.random.default_rng(1)
    for _ in range(20):
        person = random_person(generator)
        style = random_style(generator, person, SceneConfig())
        kinds = {name.partition(".")[0] for name in style.garments}
        painted = {each for each in Covering if style.dyes[each].share == 1}
        assert Covering.BOTTOM in painted or kinds & {"bottom", "full"}
        if person.gender > 0.5:
            assert Covering.TOP in painted or kinds & {"top", "full"}
