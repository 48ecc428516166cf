import numpy as np
import pytest
import torch

from kinepose.synthetic.body import (
    RIG,
    load_body,
    pose_bones,
    random_person,
    shape_coefficients,
)
from kinepose.synthetic.garments import Garment, Surface, body_shape, fit, load_wardrobe, wear


def test_a_garment_lies_where_a_slow_loop_puts_it():
    """Weighted corners, plus offsets scaled by the body's width, depth and height."""
    generator = np.random.default_rng(0)
    body, bound = generator.normal(size=(20, 3)), generator.integers(0, 20, (7, 3))
    weights, offsets = generator.dirichlet(np.ones(3), 7), generator.normal(size=(7, 3))
    measured, lengths = np.array([[1, 2], [3, 4], [5, 6]]), np.array([1.5, 2.5, 0.5])
    expected = np.zeros((7, 3))
    for vertex in range(7):
        for axis in range(3):
            first, second = measured[axis]
            scale = abs(body[first, axis] - body[second, axis]) / lengths[axis]
            expected[vertex, axis] = offsets[vertex, axis] * scale
            for corner in range(3):
                expected[vertex, axis] += (
                    weights[vertex, corner] * body[bound[vertex, corner], axis]
                )
    nothing = Surface(torch.zeros(0, 3, dtype=torch.int64), torch.zeros(0, 3, 2))
    garment = Garment(
        nothing,
        torch.tensor(bound),
        torch.tensor(weights).float(),
        torch.tensor(offsets).float(),
        torch.tensor(measured),
        torch.tensor(lengths).float(),
        torch.zeros(0, dtype=torch.int64),
        0.5,
    )
    fitted = fit(garment, torch.tensor(body).float())
    np.testing.assert_allclose(fitted.numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_the_textured_body_has_the_shape_of_the_other(seed):
    """Its vertices lie on the skin of the reduced body, whoever the person."""
    body, wardrobe = load_body(), load_wardrobe()
    person = random_person(np.random.default_rng(seed))
    shape = body_shape(wardrobe, shape_coefficients(body, person))
    skin = shape[wardrobe.skin.faces.unique()]
    rest = body.anny.get_rest_vertices(shape_coefficients(body, person)[None])[0]
    assert torch.cdist(rest, skin).amin(1).quantile(0.9) < 0.05
    assert (skin.amin(0) - rest.amin(0)).abs().max() < 0.02
    assert (skin.amax(0) - rest.amax(0)).abs().max() < 0.02


def test_every_garment_fits_every_body():
    """No vertex is farther from the skin than loose cloth and long hair are."""
    body, wardrobe = load_body(), load_wardrobe()
    for seed in range(3):
        coefficients = shape_coefficients(body, random_person(np.random.default_rng(seed)))
        skin = body_shape(wardrobe, coefficients)[wardrobe.skin.faces.unique()]
        for name in wardrobe.garments:
            rest = wear(wardrobe, (name,), coefficients)[2].rest
            assert torch.cdist(rest, skin).amin(1).max() < 0.25, name


def test_clothes_hide_the_skin_beneath_them():
    wardrobe = load_wardrobe()
    coefficients = load_body().adult_coefficients
    trousers = next(name for name in wardrobe.garments if name.startswith("bottom.male"))
    bare, _ = wear(wardrobe, (), coefficients)
    dressed, _, cloth = wear(wardrobe, (trousers,), coefficients)
    assert not bare.hidden.any()
    hip, ankle = (
        float(load_body().bone_heads[load_body().bones.index(bone), 2])
        for bone in ("upperleg01.L", "foot.L")
    )

    def thigh(part):
        x, _, z = part.rest[part.surface.faces].mean(1).unbind(-1)
        no_hand = x.abs() < 0.3
        return int((no_hand & (z < hip - 0.1) & (z > ankle + 0.15)).sum())

    assert thigh(dressed) < 0.2 * thigh(bare) < thigh(cloth)


def test_bones_move_garments_as_they_move_the_body():
    """All turned as one, the person with all clothes is a turned statue."""
    body, wardrobe = load_body(), load_wardrobe()
    person = random_person(np.random.default_rng(1))
    turned = torch.tensor([0.0, 0.0, 0.0, 1.0]).repeat(1, 13, 1)
    turned[0, RIG.index("root")] = torch.tensor([0.0, 0.0, 0.6, 0.8])
    still = torch.tensor([0.0, 0.0, 0.0, 1.0]).repeat(1, 13, 1)
    _, joints, at_rest = pose_bones(body, person, still)
    _, after, moved = pose_bones(body, person, turned)
    turn = moved[0, 0, :3, :3] @ at_rest[0, 0, :3, :3].T
    torch.testing.assert_close(
        (joints[0] - joints[0, :1]) @ turn.T, after[0] - after[0, :1], atol=1e-4, rtol=0
    )
    for part in wear(wardrobe, tuple(wardrobe.garments)[:3], shape_coefficients(body, person)):
        torch.testing.assert_close(part.bone_weights.sum(1), torch.ones(len(part.rest)))
