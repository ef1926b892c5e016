import torch
from torch.nn import functional as F

from model.network.decoder import Decoder, Step
from model.training import parameters
from model.training.cross_entropy import head_cross_entropy
from model.training.forward import hidden
from model.training.heads import attention_maps


def test_training_forward_equals_the_decoder(config):
    weights = parameters.bound(config, parameters.initial(config, seed=1))
    decoder = Decoder(config, weights)
    ids_BT = torch.randint(0, config.vocab_size, (2, 200))
    x_TD, routings = hidden(
        config, weights, ids_BT.flatten(), decoder.rotations.rows(0, 200, length=200).repeat(2, 1), sequences=2
    )
    expected = torch.cat([decoder.step(ids_T, decoder.new_cache(), logits="all") for ids_T in ids_BT])
    assert torch.allclose(weights.head(x_TD), expected, atol=1e-5)
    assert [routing.ids_TA.shape for routing in routings] == [(400, 2)]


def test_head_cross_entropy_has_the_gradients_of_the_plain_one():
    x_TD, head_VD = torch.randn(40, 8), torch.randn(50, 8)
    targets_T = torch.randint(0, 50, (40,))
    for leaf in (x_TD, head_VD):
        leaf.requires_grad_()
    loss = head_cross_entropy(x_TD, head_VD, targets_T)
    expected = F.cross_entropy(x_TD @ head_VD.T, targets_T)
    assert torch.allclose(loss, expected)
    for got, want in zip(
        torch.autograd.grad(2 * loss, (x_TD, head_VD)), torch.autograd.grad(2 * expected, (x_TD, head_VD)), strict=True
    ):
        assert torch.allclose(got, want, atol=1e-6)


def test_attention_maps_are_causal_and_sum_to_one(config):
    decoder = Decoder(config, parameters.bound(config, parameters.initial(config, seed=1)))
    for weights_HQK, _ in attention_maps(decoder, torch.arange(9)):
        assert torch.allclose(weights_HQK.sum(dim=-1), torch.ones(config.heads, 9))
        assert weights_HQK.triu(1).abs().max() == 0


def test_training_gradients_equal_the_decoder_s(config):
    leaves = parameters.working_copies(parameters.initial(config, seed=1), torch.float32)
    weights = parameters.bound(config, leaves)
    decoder = Decoder(config, weights)
    ids_T = torch.randint(0, config.vocab_size, (2 * 150,))
    rotation_TR = decoder.rotations.rows(0, 150, length=150).repeat(2, 1)
    x_TD, _ = hidden(config, weights, ids_T, rotation_TR, sequences=2)
    got = torch.autograd.grad(F.cross_entropy(weights.head(x_TD), ids_T), list(leaves.values()), materialize_grads=True)
    x_TD = F.embedding(ids_T, weights.embedding_VD)
    for index in range(config.layers):
        x_TD, _, _ = decoder.layer(index, x_TD, Step(rotation_TR, mask_TK=None, sequences=2))
    want = torch.autograd.grad(
        F.cross_entropy(decoder.logits(x_TD), ids_T), list(leaves.values()), materialize_grads=True
    )
    # An expert that no token chose has no gradient on either side: zeros.
    for name, one, other in zip(leaves, got, want, strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-6), name
