"""Weighted sums against plain ones, and the blocks against their formulas."""

import pytest
import torch
from torch.nn import functional

from nervure.networks import ConvBlock, MLPBlock, PooledLinear
from nervure.networks.blocks import WeightedSum, weighted_sum

SHAPE = (2, 3, 4, 5)


def normal(*shape, seed=0, wanted=True):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    return x.requires_grad_(wanted)


def plainly(weight, x):
    return sum(w * part for w, part in zip(weight, x, strict=True))


def channels_last(x):
    return x.contiguous(memory_format=torch.channels_last)


def transposed(x):
    return x.transpose(1, 3).contiguous().transpose(1, 3)


def strided(x):
    return torch.stack([x, x + 1], -1)[..., 0]


FORMATS = [torch.clone, channels_last, transposed, strided]


@pytest.mark.parametrize("wanted", [(True,), (True, True, True), (False, True, False), (False,)])
@pytest.mark.parametrize("weight_wanted", [True, False])
def test_value_and_gradients_are_those_of_a_plain_sum(wanted, weight_wanted):
    x = [normal(*SHAPE, seed=i, wanted=need) for i, need in enumerate(wanted)]
    weight = normal(len(x), seed=9, wanted=weight_wanted)
    ours, theirs = weighted_sum(weight, x), plainly(weight, x)
    torch.testing.assert_close(ours, theirs)
    leaves = [leaf for leaf in (weight, *x) if leaf.requires_grad]
    assert ours.requires_grad == bool(leaves)
    if leaves:
        along = normal(*SHAPE, seed=8, wanted=False)
        torch.testing.assert_close(
            torch.autograd.grad(ours, leaves, along), torch.autograd.grad(theirs, leaves, along)
        )


@pytest.mark.parametrize("count", [1, 3])
def test_gradients_by_finite_differences(count):
    x = [normal(2, 3, seed=i) for i in range(count)]
    assert torch.autograd.gradcheck(WeightedSum.apply, (normal(count, seed=9), *x))


@pytest.mark.parametrize("first", FORMATS)
@pytest.mark.parametrize("second", FORMATS)
@pytest.mark.parametrize("of_gradient", FORMATS)
def test_any_memory_format_and_any_mixture(first, second, of_gradient):
    x = [normal(*SHAPE, seed=i) for i in range(2)]
    weight = normal(2, seed=9)
    laid = [first(x[0]), second(x[1])]
    along = of_gradient(normal(*SHAPE, seed=8, wanted=False))
    ours = torch.autograd.grad(weighted_sum(weight, laid), [weight, *x], along)
    theirs = torch.autograd.grad(plainly(weight, x), [weight, *x], along)
    torch.testing.assert_close(ours, theirs)


def test_an_expanded_gradient():
    x, weight = [normal(*SHAPE, seed=i) for i in range(2)], normal(2, seed=9)
    weighted_sum(weight, x).sum().backward()
    torch.testing.assert_close(weight.grad, torch.stack([part.sum() for part in x]))


@pytest.mark.parametrize("laid", FORMATS[:3])
def test_dense_tensors_of_one_format_are_not_copied(laid, monkeypatch):
    x, weight = [laid(normal(*SHAPE, seed=i)) for i in range(2)], normal(2, seed=9)
    along = laid(normal(*SHAPE, seed=8, wanted=False))
    total = weighted_sum(weight, x)
    seen, dot = [], torch.dot

    def watched(a, b):
        seen.append((a.data_ptr(), b.data_ptr()))
        return dot(a, b)

    monkeypatch.setattr(torch, "dot", watched)
    torch.autograd.grad(total, weight, along)
    assert seen == [(part.data_ptr(), along.data_ptr()) for part in x]


def test_only_sources_and_weights_are_kept_for_the_backward_pass():
    x, weight = [normal(*SHAPE, seed=i) for i in range(3)], normal(3, seed=9)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        weighted_sum(weight, x)
    assert sorted(t.data_ptr() for t in kept) == sorted(t.data_ptr() for t in (weight, *x))


def test_sources_stay_as_they_are():
    x = [normal(*SHAPE, seed=i, wanted=False) for i in range(2)]
    before = [part.clone() for part in x]
    total = weighted_sum(torch.ones(2, dtype=torch.float64), x)
    total.zero_()
    assert all(torch.equal(a, b) for a, b in zip(x, before, strict=True))


def test_a_second_derivative_is_refused():
    """It would miss the weights, which enter the first as numbers."""
    x, weight = normal(2, 3), normal(1, seed=9)
    total = weighted_sum(weight, [x])
    (first,) = torch.autograd.grad(total.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


def test_a_weight_for_each_source():
    with pytest.raises(ValueError, match="zip"):
        weighted_sum(normal(2), [normal(*SHAPE)])


def standard(x):
    """Batch normalisation by hand, over all but channels."""
    axes = [i for i in range(x.ndim) if i != 1]
    mean, variance = x.mean(axes, keepdim=True), x.var(axes, unbiased=False, keepdim=True)
    return (x - mean) / (variance + 1e-5).sqrt()


@pytest.mark.parametrize(("stride", "side"), [(1, 5), (2, 3), (4, 2)])
def test_conv_block(stride, side):
    block = ConvBlock(3, 7, stride).double()
    x = normal(4, 3, 5, 5)
    main = functional.conv2d(x.clamp(min=0), block.conv.weight, stride=stride, padding=1)
    beside = torch.einsum(
        "oi,bihw->bohw", block.shortcut.weight[:, :, 0, 0], x[:, :, ::stride, ::stride]
    )
    expected = standard(main) + standard(beside)
    assert expected.shape == (4, 7, side, side)
    torch.testing.assert_close(block(x), expected)


def test_mlp_block_and_its_gradient():
    block = MLPBlock(3, 5).double()
    x = normal(6, 3)
    expected = standard(x.clamp(min=0) @ block.main.weight.T) + standard(
        x @ block.shortcut.weight.T
    )
    torch.testing.assert_close(block(x), expected)
    leaves = [x, *block.parameters()][:2]
    torch.testing.assert_close(
        torch.autograd.grad(block(x)[:, :2].square().sum(), leaves),
        torch.autograd.grad(expected[:, :2].square().sum(), leaves),
    )


def test_pooled_linear_takes_features_and_maps():
    layer = PooledLinear(3, 2)
    x = torch.randn(4, 3, 5, 6)
    torch.testing.assert_close(layer(x), layer.linear(x.mean((2, 3))))
    torch.testing.assert_close(layer(x[:, :, 0, 0]), layer.linear(x[:, :, 0, 0]))
