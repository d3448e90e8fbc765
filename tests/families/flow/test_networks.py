"""The flows themselves, in torch: invertible, and with a log-determinant that is true."""

import pytest
import torch

from sextant.families.flow.networks import Glow, Mixing, RealNvp
from sextant.families.flow.train import FlowTraining


def _stirred(flow: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """The flow with weights away from their start, where couplings do nothing."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return flow.double().eval()


def _jacobian_log_det(flow: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    jacobian = torch.autograd.functional.jacobian(lambda row: flow(row[None])[0].flatten(), x)
    return torch.linalg.slogdet(jacobian.reshape(x.numel(), x.numel())).logabsdet


@pytest.mark.parametrize("seed", range(3))
def test_the_log_determinant_of_a_table_flow_is_that_of_its_jacobian(seed: int) -> None:
    torch.manual_seed(seed)
    flow = RealNvp(columns=5, layers=4, width=16)
    flow.mean.uniform_(-3, 3)
    flow.deviation.uniform_(0.5, 4)
    _stirred(flow, seed)
    x = 2 * torch.randn(3, 5, dtype=torch.float64)
    _, log_det = flow(x)
    wanted = torch.stack([_jacobian_log_det(flow, row) for row in x])
    torch.testing.assert_close(log_det, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_the_log_determinant_of_glow_is_that_of_its_jacobian(seed: int) -> None:
    torch.manual_seed(seed)
    flow = _stirred(Glow(size=8, channels=1, steps=2, width=8), seed)
    x = 256 * torch.rand(2, 1, 8, 8, dtype=torch.float64)
    _, log_det = flow(x)
    wanted = torch.stack([_jacobian_log_det(flow, picture) for picture in x])
    torch.testing.assert_close(log_det, wanted, rtol=1e-9, atol=1e-8)


def test_flows_invert() -> None:
    torch.manual_seed(0)
    table, glow = _stirred(RealNvp(3, 6, 16)), _stirred(Glow(8, 3, 3, 8))
    rows, pictures = torch.randn(7, 3, dtype=torch.float64), 256 * torch.rand(4, 3, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(table.inverse(table(rows)[0]), rows)
    torch.testing.assert_close(glow.inverse(glow(pictures)[0]), pictures)


def test_the_first_batch_leaves_act_norm_with_zero_mean_and_unit_variance() -> None:
    torch.manual_seed(0)
    flow = RealNvp(2, 1, 8).train()
    z, _ = flow(3 + 5 * torch.randn(4096, 2))
    torch.testing.assert_close(z.mean(0), torch.zeros(2), rtol=0, atol=1e-4)
    torch.testing.assert_close(z.std(0), torch.ones(2), rtol=0, atol=1e-2)


def test_fixed_mixing_is_the_same_map() -> None:
    torch.manual_seed(0)
    flow = Glow(8, 1, 2, 8).eval()
    x = 256 * torch.rand(3, 1, 8, 8)
    z, log_det = flow(x)
    flow.fix_mixing()
    assert not any(isinstance(part, Mixing) for part in flow.modules())
    fixed_z, fixed_log_det = flow(x)
    torch.testing.assert_close(fixed_z, z, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(fixed_log_det, log_det, rtol=1e-5, atol=1e-3)


def test_training_makes_the_data_more_likely() -> None:
    torch.manual_seed(0)
    training = FlowTraining(RealNvp(2, 4, 32), rate=5e-3, quantised=False)
    angle = 2 * torch.pi * torch.rand(4096)
    ring = torch.stack([angle.cos(), angle.sin()], 1) + 0.1 * torch.randn(4096, 2)
    losses = [
        float(training.step((ring[torch.randint(4096, (256,))],), step / 200)["bits_per_dimension"])
        for step in range(200)
    ]
    assert sum(losses[-20:]) / 20 < sum(losses[:20]) / 20 - 0.2
