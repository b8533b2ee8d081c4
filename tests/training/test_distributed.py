"""Two processes, each with its share of every batch, against one with all of it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from distributed_cases import CASES, ROWS, batches, block_dag, train
from torch.nn import functional

from nervure.errors import DistributedError
from nervure.training import DistributedNetwork


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Run both processes once, for all tests; what each found."""
    folder = tmp_path_factory.mktemp("processes")
    script = Path(__file__).with_name("distributed_cases.py")
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", script, str(rank), folder],
            stderr=subprocess.PIPE, text=True,
        )
        for rank in range(2)
    ]  # fmt: skip
    try:
        errors = [process.communicate(timeout=120)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], "\n".join(errors)
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@pytest.mark.parametrize("name", CASES)
def test_two_processes_are_one_with_the_whole_batch(found, name):
    (wirings, state), (others, other) = (each[name] for each in found)
    assert wirings == others
    assert all(torch.equal(state[key], other[key]) for key in state)
    expected_wirings, expected = train(CASES[name])
    assert len(set(expected_wirings)) > 1  # the rule did something
    assert wirings == expected_wirings
    assert list(state) == list(expected)
    for key, value in expected.items():
        torch.testing.assert_close(state[key], value, rtol=0, atol=1e-12)


def test_processes_go_on_from_their_states(found):
    for each in found:
        (wirings, state), (expected_wirings, expected) = (
            each["resumed"], each["FreeNet, CoActivation"],
        )  # fmt: skip
        assert wirings == expected_wirings
        assert all(torch.equal(state[key], expected[key]) for key in expected)


def test_gradients_that_are_there_in_some_processes(found):
    # Process 0, with 6 rows of 24, used layer 0, process 1 layer 1 and nobody layer 2.
    state, x = found[0]["gradients"]["start"], batches(1)[0][0]
    expected = []
    for layer, rows, share in ((0, x[:6], 1 / 4), (1, x[6:], 3 / 4)):
        weight, bias = (state[f"layers.{layer}.{name}"].clone() for name in ("weight", "bias"))
        loss = functional.linear(rows, weight.requires_grad_(), bias.requires_grad_())
        loss.square().mean().backward()
        expected += [share * weight.grad, share * bias.grad]
    for each in found:
        assert each["gradients"]["either"][4:] == [None, None]
        torch.testing.assert_close(each["gradients"]["either"][:4], expected, rtol=0, atol=1e-14)


def test_gradients_add_up_over_passes(found):
    gradients, x = found[0]["gradients"], batches(1)[0][0]
    weight, bias = (gradients["start"][f"layers.0.{name}"] for name in ("weight", "bias"))
    weight.requires_grad_()
    for part in x.split(ROWS // 2):
        functional.linear(part, weight, bias).square().mean().backward()
    for times in ("each", "last"):
        torch.testing.assert_close(gradients[times], weight.grad, rtol=0, atol=1e-14)


def test_a_process_without_rows_does_not_count(found):
    start, x = found[0]["gradients"]["start"], batches(1)[0][0]
    mean = functional.linear(x, start["layers.0.weight"], start["layers.0.bias"]).mean()
    for each in found:
        gradient = each["gradients"]["no rows"]
        torch.testing.assert_close(gradient, mean.expand_as(gradient), rtol=0, atol=1e-14)


def test_running_statistics_are_those_of_process_0(found):
    first, second = (each["buffers"] for each in found)
    assert any("running_mean" in name and value.any() for name, value in first.items())
    assert all(torch.equal(first[name], second[name]) for name in first)
    alone = block_dag(0, block="mlp").double()
    for x, _ in batches(3):
        alone(x[: ROWS // 2])
    # No weight was changed, so a process with the same rows has the same.
    torch.testing.assert_close(dict(alone.named_buffers()), first)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("not averaged", ("call synchronise()",) * 2),
        ("a pass fails", ("process 1 failed: ArithmeticError: not here", "^ArithmeticError: not")),
        ("out of step", ("0 was to average gradients .*, 1 to compare",) * 2),
        ("a rule fails", ("^ArithmeticError: not here", "process 0 failed: ArithmeticError: not")),
        ("another wiring", ("process 1 differs from process 0: the wirings",) * 2),
        ("another weight", ("process 1 differs from process 0: wirings or weights",) * 2),
        ("no rows", ("expected rows in at least one process",) * 2),
        ("built otherwise", ("process 1 failed: RuntimeError: .*size", "^RuntimeError: .*size")),
    ],
)
def test_no_process_waits_for_one_that_is_elsewhere(found, kind, expected):
    for each, pattern in zip(found, expected, strict=True):
        assert re.search(pattern, each["failures"][kind], re.DOTALL), each["failures"][kind]


def test_a_process_that_ends_is_missed(found):
    assert "process 0 has lost another" in found[0]["failures"]["the other ended"]


def test_without_a_process_group_the_error_says_how_to_make_one():
    with pytest.raises(DistributedError, match="init_process_group"):
        DistributedNetwork(torch.nn.Linear(2, 2))
