"""NCAM and NCIM of section 3.4 of the FreeNets paper, against counting by hand."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nervure.errors import EngineError
from nervure.rules import CoActivationStatistics

shapes = st.tuples(st.integers(1, 30), st.integers(1, 6))
# Zero is not active, and neither is what is no number.
numbers = st.sampled_from([-2.0, -1e-30, 0.0, -0.0, 1e-30, 0.5, 3.0, float("nan")])
values = shapes.flatmap(lambda shape: hnp.arrays(np.float32, shape, elements=numbers))


def gathered(*batches):
    statistics = CoActivationStatistics(batches[0].shape[-1])
    for batch in batches:
        statistics.add(torch.as_tensor(batch))
    return statistics


@given(values)
@settings(deadline=None)
def test_equals_counting_pair_by_pair(given_values):
    samples, neurons = given_values.shape
    statistics = gathered(given_values)
    ncam, ncim = statistics.ncam, statistics.ncim
    assert statistics.samples == samples
    assert ncam.dtype == ncim.dtype == torch.float64
    for i in range(neurons):
        for j in range(neurons):
            both = neither = 0
            for row in given_values.tolist():
                both += row[i] > 0 and row[j] > 0
                neither += not row[i] > 0 and not row[j] > 0
            assert ncam[i, j].item() == both / samples
            assert ncim[i, j].item() == neither / samples


@given(values, st.lists(st.integers(0, 30), max_size=4))
@settings(deadline=None)
def test_batch_by_batch_equals_all_at_once(given_values, cuts):
    batches = np.split(given_values, sorted(min(cut, len(given_values)) for cut in cuts))
    whole, parts = gathered(given_values), gathered(*batches)
    assert parts.samples == whole.samples
    assert torch.equal(parts.ncam, whole.ncam)
    assert torch.equal(parts.ncim, whole.ncim)


def test_leading_dimensions_are_samples():
    some = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(gathered(some).ncam, gathered(some.reshape(20, 3)).ncam)
    assert gathered(some[0, 0]).samples == 1


def test_half_precision_counts_as_exactly():
    some = torch.randn(3001, 3, generator=torch.Generator().manual_seed(0))
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        assert torch.equal(gathered(some.to(dtype)).ncam, gathered(some).ncam)


def test_keeps_no_graph():
    values = torch.ones(2, 2, requires_grad=True)
    assert not gathered(values * 1).ncam.requires_grad


def test_state_dict_round_trip():
    first = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
    second = -first[:4]
    statistics = gathered(first)
    state = statistics.state_dict()
    statistics.add(second)  # what was given is a copy
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    resumed = CoActivationStatistics(3)
    resumed.load_state_dict(torch.load(buffer))
    assert torch.equal(resumed.ncam, gathered(first).ncam)
    resumed.add(second)
    assert resumed.samples == statistics.samples == 11
    assert torch.equal(resumed.ncim, statistics.ncim)


def test_bad_use_is_refused():
    statistics = CoActivationStatistics(3)
    for name in ("ncam", "ncim"):
        with pytest.raises(EngineError, match="no samples"):
            getattr(statistics, name)
    with pytest.raises(EngineError, match=r"expected \(..., 3\), got \(5, 2\)"):
        statistics.add(torch.zeros(5, 2))
    statistics.add(torch.zeros(0, 3))
    with pytest.raises(EngineError, match="no samples"):
        _ = statistics.ncam
