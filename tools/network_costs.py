"""What the networks and transforms of an iteration cost alone, and what the processor could do."""

import time
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

from kinepose.method.camera_projection import project
from kinepose.method.forward_kinematics import forward_kinematics
from kinepose.method.model import Model


def network_calls(model: Model, step: Callable[[], object]) -> list[tuple]:
    """Which network was called with what in one iteration, and whether gradients went through."""
    calls = []

    def note(module: torch.nn.Module, inputs: tuple, _: object) -> None:
        wanted = [torch.is_tensor(x) and x.requires_grad for x in inputs]
        kept = [x.detach().clone() for x in inputs]
        trained = any(parameter.requires_grad for parameter in module.parameters())
        calls.append((module, kept, wanted, trained))

    networks = (model.pose_encoder, model.appearance_encoder, model.decoder)
    hooks = [network.register_forward_hook(note) for network in networks]
    step()
    for hook in hooks:
        hook.remove()
    return calls


def bare(calls: list[tuple]) -> None:
    """The networks alone, forward and backward, as in these calls."""
    for module, inputs, wanted, trained in calls:
        module.requires_grad_(trained)
        given = [x.requires_grad_(w) for x, w in zip(inputs, wanted, strict=True)]
        out = module(*given)
        outputs = [o for o in (out if isinstance(out, tuple) else (out,)) if o is not None]
        if trained or any(wanted):
            torch.stack([output.sum() for output in outputs]).sum().backward()
        module.zero_grad(set_to_none=True)
        for x in given:
            x.grad = None


def transforms(model: Model, calls: list[tuple]) -> None:
    """T_fk, T_c and T_m alone, forward and backward, of as many poses."""
    for module, inputs, _, _ in calls:
        if module is model.pose_encoder:
            count, device = len(inputs[0]), inputs[0].device
            parameters = torch.randn(count, 40, device=device, requires_grad=True)
            cameras = torch.randn(count, 6, device=device, requires_grad=True)
            model.maps(project(forward_kinematics(parameters), cameras)).sum().backward()


def operations_of(model: Model, size: int) -> int:
    """Floating point operations of E_P for one crop."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.pose_encoder(torch.zeros(1, 3, size, size))
    return counter.get_total_flops()


def peak_rate() -> float:
    """Floating point operations a second in products of large matrices, the best of ten."""
    matrix = torch.rand(2048, 2048)
    times = []
    for _ in range(10):
        started = time.perf_counter()
        matrix @ matrix
        times.append(time.perf_counter() - started)
    return 2 * 2048**3 / min(times)
