import torch
from torch import nn

from kinepose.method.blocks import fold_batch_norms


def test_folded_batch_norms_change_nothing() -> None:
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 5, 3, bias=False), nn.BatchNorm2d(5), nn.ReLU(), nn.Conv2d(5, 4, 1))
    network = nn.Sequential(nn.Sequential(*layers), nn.BatchNorm2d(4))
    for norm in (network[0][1], network[1]):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
        nn.init.normal_(norm.weight)
    images = torch.randn(2, 3, 8, 8)
    network.eval()
    with torch.inference_mode():
        before = network(images)
    fold_batch_norms(network)
    with torch.inference_mode():
        torch.testing.assert_close(network(images), before)
    assert [type(layer) for layer in network[0]] == [nn.Conv2d, nn.Identity, nn.ReLU, nn.Conv2d]
    assert isinstance(network[1], nn.BatchNorm2d)  # no convolution stands beside it
