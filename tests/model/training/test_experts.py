import torch

from model.network import moe
from model.training import experts, parameters


def test_grouped_answers_and_gradients_equal_the_expert_by_expert_ones(config):
    leaves = parameters.working_copies(parameters.initial(config, seed=4), torch.float32)
    layer = parameters.bound(config, leaves).layers[1].moe
    x_TD = torch.randn(60, config.hidden_size, requires_grad=True)
    routing = moe.route(x_TD, layer, config.router)
    of_layer = [leaf for name, leaf in leaves.items() if ".layers.1.mlp." in name]
    grouped, plain = experts.mix(x_TD, routing, layer), moe.mix(x_TD, routing, layer)
    assert torch.allclose(grouped, plain, atol=1e-6)
    weight_TD = torch.randn_like(grouped)
    got, want = (
        torch.autograd.grad((out * weight_TD).sum(), [x_TD, *of_layer], retain_graph=True) for out in (grouped, plain)
    )
    assert all(torch.allclose(one, other, atol=1e-5) for one, other in zip(got, want, strict=True))


def test_experts_are_stacked_and_separated_again(config):
    stacked = parameters.initial(config, seed=4)
    name = "model.layers.1.mlp.experts.gate_proj.weight"
    assert stacked[name].shape == (config.router.experts, config.moe_intermediate_size, config.hidden_size)
    separate = parameters.separate(stacked)
    assert separate["model.layers.1.mlp.experts.3.gate_proj.weight"].equal(stacked[name][3])
    shuffled = dict(sorted(separate.items(), reverse=True))
    assert all(tensor.equal(stacked[name]) for name, tensor in parameters.stacked(shuffled).items())
