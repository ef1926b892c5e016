import pytest
import torch

from model.training.muon import Muon, orthogonalised


def test_updates_equal_torch_s_own_muon():
    """Stacks here, one matrix at a time there; both iterate in bfloat16."""
    torch.manual_seed(5)
    stack, single = torch.randn(3, 16, 8), torch.randn(8, 24)
    mine = [stack.clone(), single.clone()]
    theirs = [*(matrix.clone() for matrix in stack), single.clone()]
    ours = Muon(mine, rate=0.02, weight_decay=0.1, dtype=torch.bfloat16)
    oracle = torch.optim.Muon(theirs, lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for _ in range(4):
        grads = [torch.randn_like(tensor) for tensor in mine]
        for tensor, grad in zip(mine, grads, strict=True):
            tensor.grad = grad
        for tensor, grad in zip(theirs, [*grads[0], grads[1]], strict=True):
            tensor.grad = grad.clone()
        ours.step(1.0)
        oracle.step()
    assert torch.allclose(mine[0], torch.stack(theirs[:3]), atol=2e-3)
    assert torch.allclose(mine[1], theirs[3], atol=2e-3)
    assert not torch.allclose(mine[1], single, atol=2e-2)


@pytest.mark.parametrize("shape", [(2, 12, 30), (2, 30, 12)])
def test_orthogonalised_matrices_have_singular_values_near_one(shape):
    values = torch.linalg.svdvals(orthogonalised(torch.randn(shape)))
    assert 0.5 < float(values.min()) <= float(values.max()) < 1.3
