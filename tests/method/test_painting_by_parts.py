"""f_a by parts, and a D_I that says what the person covers."""

from dataclasses import replace

import pytest
import torch
from tests.method.random_batches import SIZE, painting, random_images

from kinepose.artifacts.model_files import new_model
from kinepose.io.errors import BadInputError
from kinepose.method.losses import painting_loss
from kinepose.method.painting_by_parts import COLOURS, gathered


@pytest.fixture
def model(tiny_config):
    torch.manual_seed(0)
    return new_model(replace(tiny_config, painting="parts"))


def test_what_is_gathered_is_the_mean_under_each_map():
    """Two channels on four cells: by hand."""
    features = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [0.0, 8.0]]]])
    maps = torch.zeros(1, 33, 2, 2)
    maps[0, 0] = torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    maps[0, 1, 1, 1] = 100.0
    found = gathered(features, maps)
    assert found.shape == (1, 2, 33, 1)
    torch.testing.assert_close(found[0, :, 0, 0], torch.tensor([1.5, 0.0]), rtol=1e-2, atol=1e-3)
    torch.testing.assert_close(found[0, :, 1, 0], torch.tensor([4.0, 8.0]), rtol=1e-2, atol=1e-3)
    assert (found[0, :, 2:] == 0).all(), "a part that is not in the image has no looks"


def test_a_colour_of_the_source_is_painted_where_the_target_has_that_part(model):
    """Before anything is learnt: a red left half and a green right half, a person turned round."""
    source = torch.zeros(1, 3, SIZE, SIZE)
    source[:, 0, :, : SIZE // 2] = source[:, 1, :, SIZE // 2 :] = 1
    joints2d = torch.zeros(1, 17, 2)
    joints2d[..., 0] = torch.where(torch.arange(17) % 2 == 0, -0.6, 0.6)
    f_a = model.appearance(source, joints2d)
    assert f_a.shape[1] == 8 + COLOURS
    with torch.no_grad():
        painted = model.painted(-joints2d, f_a, torch.full_like(source, 0.5))
    red, green = (painted.image[0, channel, SIZE // 2] for channel in (0, 1))
    assert red[3 * SIZE // 4] > green[3 * SIZE // 4] and red[SIZE // 4] < green[SIZE // 4]
    assert painted.cover.sigmoid().mean() < 0.2


def test_learning_one_pair_by_heart_moves_image_and_cover(model, pairs, labelled):
    """And the joints of the target have a gradient, by which L_P teaches E_P."""
    batch = painting(pairs, labelled)
    mask = torch.zeros(4, 1, SIZE, SIZE)
    mask[..., 8:24, 8:24] = 1
    target = torch.where(mask > 0, 0.9, batch.background)
    joints2d = (torch.rand(4, 17, 2) - 0.5).requires_grad_()
    batch = replace(batch, mask=mask, target=target, joints2d=joints2d)
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    first = painting_loss(model, batch)
    assert set(first) == {"pixels", "cover"}
    for _ in range(100):
        optimiser.zero_grad()
        sum(painting_loss(model, batch).values()).backward()
        optimiser.step()
    last = painting_loss(model, batch)
    assert last["pixels"] < 0.5 * first["pixels"] and last["cover"] < 0.5 * first["cover"]
    assert (joints2d.grad.abs().sum((1, 2)) > 0).all()


def test_clothes_go_with_the_image_that_lends_them(model):
    """f_a without joints is that of E_P's own, and is told by no gradient where they are."""
    model, images = model.eval(), random_images(3)
    with torch.no_grad():
        told = model.appearance(images, model.predict(images).joints2d)
    torch.testing.assert_close(model.appearance(images), told)
    assert not torch.allclose(told[0], told[1])


def test_a_network_in_place_of_the_maps_has_no_parts(tiny_config):
    with pytest.raises(BadInputError, match="maps transform"):
        new_model(replace(tiny_config, painting="parts", maps="network"))
