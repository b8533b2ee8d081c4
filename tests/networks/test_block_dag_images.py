"""`BlockDAG` on images: rows of pixels, memory format, and maps computed again."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef

from nervure import Topology
from nervure.errors import EngineError
from nervure.networks import BlockDAG, ConvBlock, MLPBlock

DAG = Topology.from_edges(
    [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (0, 4), (3, 4), (2, 5), (4, 5)],
    6, inputs=[0], outputs=[5],
)  # fmt: skip
STAGES = [0, 0, 0, 1, 1, 2]


def network(**options):
    made = BlockDAG(DAG, STAGES, **{"channels": 2, "outputs": 3, "seed": 0} | options)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        made.edge_weight.normal_(generator=generator)
    return made


def normal(*shape, seed=1):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# -- rows and memory format ------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(5, 6), (5, 6, 1), (5, 6, 3), [4, 7, 2]])
def test_rows_of_pixels_are_images(shape):
    colours = 1 if len(shape) == 2 else shape[2]
    net = network(image_shape=shape)
    assert net.config()["inputs"] == colours
    maps = normal(4, colours, shape[0], shape[1])
    rows = np.empty((4, shape[0] * shape[1] * colours), dtype=np.float32)
    for b, c, i, j in np.ndindex(*maps.shape):
        rows[b, (i * shape[1] + j) * colours + c] = maps[b, c, i, j]
    ours, theirs = net(torch.from_numpy(rows)), copy.deepcopy(net)(maps)
    torch.testing.assert_close(ours, theirs)
    assert net.eval()(torch.zeros(0, rows.shape[1])).shape == (0, 3)


def test_rows_of_another_length_are_refused():
    message = r"expected rows of 90 pixels, which images of \(5, 6, 3\) have, got 30"
    with pytest.raises(EngineError, match=message):
        network(image_shape=(5, 6, 3))(normal(4, 30))


def test_rows_without_an_image_shape_are_features():
    assert network(node=MLPBlock)(normal(4, 3)).shape == (4, 3)
    assert network(node="mlp", inputs=7)(normal(4, 7)).shape == (4, 3)


def entered(net, x):
    """What the input block takes in, and what all blocks and reductions give."""
    taken, given = [], []
    for key, block in (*net.blocks.items(), *net.reductions.items()):
        if key == "0":
            block.register_forward_pre_hook(lambda _, inputs: taken.extend(inputs))
        block.register_forward_hook(lambda *arguments: given.append(arguments[-1]))
    net(x)
    return taken[0], given


@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("kind", ["rows", "maps", "channels_last", "transposed"])
def test_feature_maps_are_channels_last(colours, kind):
    net = network(image_shape=(6, 8, colours))
    maps = normal(4, colours, 6, 8)
    x = {
        "rows": maps.permute(0, 2, 3, 1).reshape(4, -1),
        "maps": maps,
        "channels_last": maps.contiguous(memory_format=torch.channels_last),
        "transposed": maps.transpose(2, 3).contiguous().transpose(2, 3),
    }[kind]
    taken, given = entered(net, x)
    assert torch.equal(taken, maps)
    assert taken.is_contiguous(memory_format=torch.channels_last)
    # What the input block itself gives of one colour is put into the format after it.
    rest = given[1:] if colours == 1 else given
    assert len(given) == len(net.blocks) + len(net.reductions)
    assert all(part.is_contiguous(memory_format=torch.channels_last) for part in rest)
    if kind in ("rows", "channels_last"):
        assert taken.data_ptr() == x.data_ptr()


def test_the_input_block_may_shrink_the_sides():
    for stride, sides in ((1, (8, 12)), (2, (4, 6)), (4, (2, 3))):
        _, given = entered(network(entry_stride=stride), normal(4, 3, 8, 12))
        assert given[0].shape == (4, 2, *sides)


# -- computed again --------------------------------------------------------------------------------


class Noisy(nn.Module):
    """A block that draws random numbers."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.block = ConvBlock(inputs, outputs, stride)

    def forward(self, x):
        return nn.functional.dropout(self.block(x), 0.3, self.training)


def step(net, x):
    torch.manual_seed(5)
    output = net(x)
    along = torch.cos(torch.arange(output.numel(), dtype=output.dtype)).reshape(output.shape)
    output.backward(along)
    return output.detach(), {name: p.grad for name, p in net.named_parameters()}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("node", [ConvBlock, MLPBlock, Noisy])
def test_numbers_gradients_and_statistics_are_those_without(node, training):
    plain = network(node=node).double().train(training)
    saving = network(node=node, recompute=True).double().train(training)
    buffers = [id(values) for values in saving.buffers()]
    x = normal(*((4, 3) if node is MLPBlock else (4, 3, 5, 6))).double()
    for _ in range(2):
        for net in (plain, saving):
            net.zero_grad()
        one, two = step(plain, x), step(saving, x)
        assert torch.equal(one[0], two[0])
        torch.testing.assert_close(two[1], one[1], rtol=0, atol=0)
        torch.testing.assert_close(saving.state_dict(), plain.state_dict(), rtol=0, atol=0)
    assert [id(values) for values in saving.buffers()] == buffers
    counted = [v for k, v in saving.state_dict().items() if k.endswith("num_batches_tracked")]
    assert {int(v) for v in counted} == {2 if training else 0}


def test_statistics_stay_if_the_graph_is_gone_through_again():
    net = network(recompute=True)
    output = net(normal(4, 3, 5, 6)).sum()
    before = copy.deepcopy(net.state_dict())
    output.backward(retain_graph=True)
    output.backward()
    torch.testing.assert_close(net.state_dict(), before, rtol=0, atol=0)


def held(net, x):
    """Which maps inside of nodes and reductions are there after the forward pass."""
    seen = {}

    def remember(name):
        def hook(module, inputs, output):  # noqa: ARG001
            seen.setdefault(name, StorageWeakRef(output.untyped_storage()))

        return hook

    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(remember(name))
    output = net(x)
    found = {name for name, maps in seen.items() if not maps.expired()}
    assert len(seen) == 2 * (len(net.blocks) + len(net.reductions))
    output.sum().backward() if output.requires_grad else None
    return found, set(seen)


def test_what_is_inside_is_held_only_if_it_is_not_computed_again():
    x = normal(4, 3, 5, 6)
    found, every = held(network(), x)
    assert found == every
    found, _ = held(network(recompute=True), x)
    assert not found
    with torch.no_grad():
        assert not held(network(), x)[0]


def test_without_gradients_nothing_is_marked_to_be_computed_again(monkeypatch):
    monkeypatch.setattr("nervure.networks.block_dag.recomputed", None)
    net = network(recompute=True)
    with torch.no_grad():
        assert net(normal(4, 3, 5, 6)).shape == (4, 3)
    with pytest.raises(TypeError):
        net(normal(4, 3, 5, 6))


def test_an_error_in_the_second_run_leaves_the_buffers():
    net = network(recompute=True)
    before = [id(values) for values in net.buffers()]
    output = net(normal(4, 3, 5, 6)).sum()

    def fail(*_):
        raise ValueError("no more")

    hook = net.blocks["3"].norm.register_forward_hook(fail)
    with pytest.raises(ValueError, match="no more"):
        output.backward()
    hook.remove()
    assert [id(values) for values in net.buffers()] == before
