from itertools import pairwise

import numpy as np

from kinepose.synthetic.textures import LEVELS, TEXTURE, load_texture, pyramid


def levels_of(texels: np.ndarray) -> list[np.ndarray]:
    sides = [TEXTURE >> level for level in range(LEVELS)]
    starts = np.cumsum([0, *(side * side for side in sides)])
    assert len(texels) == starts[-1]
    return [
        texels[start : start + side * side].reshape(side, side, 4)
        for start, side in zip(starts[:-1], sides, strict=True)
    ]


def test_each_level_is_the_mean_of_the_one_before():
    rendered = np.random.default_rng(0).integers(0, 256, (TEXTURE, TEXTURE, 4), dtype=np.uint8)
    rendered[..., 3] = 255
    levels = levels_of(pyramid(rendered))
    np.testing.assert_array_equal(levels[0], rendered)
    for fine, coarse in pairwise(levels):
        mean = fine.reshape(len(coarse), 2, len(coarse), 2, 4).mean((1, 3))
        assert np.abs(mean - coarse).max() <= 1


def test_what_is_transparent_takes_the_colour_beside_it():
    rendered = np.zeros((TEXTURE, TEXTURE, 4), np.uint8)
    rendered[:, : TEXTURE // 2] = (200, 100, 50, 255)
    for level in levels_of(pyramid(rendered)):
        side = len(level)
        near = level[:, side // 4 : side // 2 + side // 4, :3].astype(int)
        assert np.abs(near - (200, 100, 50)).max() <= 3
        assert level[0, 0, 3] == 255 and level[0, -1, 3] == 0


def test_skin_is_opaque_and_hair_has_holes():
    assert load_texture("young_lightskinned_male")[:, 3].min() == 255
    assert load_texture("bob02")[:, 3].min() == 0
