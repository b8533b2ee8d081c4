"""The training loop."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from torch.nn import functional

from nervure import NeuralModules
from nervure.baselines import PlainNetwork
from nervure.errors import EngineError
from nervure.rules import Repulsion
from nervure.training import TrainingOptions, evaluate, fit, predict_values
from nervure.training.options import automatic_batch_size


def make_data(rows=300, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 6)).astype(np.float32)
    return x, (x[:, 0] * x[:, 1] > 0).astype(np.int64)


def repulsion(network, keep=40, alpha=0.01):
    return lambda _, optimizer: Repulsion(network, optimizer, keep=keep, alpha=alpha)


def test_equals_a_loop_written_out():
    """Same order of samples, same schedule, plain torch."""
    x, y = make_data(64)
    options = TrainingOptions(epochs=3, batch_size=20, learning_rate=0.2, seed=7)
    ours = PlainNetwork(6, 2, nodes=8, seed=1)
    fitted = fit(ours, x, y, task="classification", options=options)

    theirs = PlainNetwork(6, 2, nodes=8, seed=1)
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.2, momentum=0.5)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12)
    rng = np.random.default_rng(7)
    for _ in range(3):
        order = rng.permutation(64)
        for i in range(0, 64, 20):
            rows = np.sort(order[i : i + 20])
            optimizer.zero_grad()
            out = theirs(torch.from_numpy(x[rows]))
            functional.cross_entropy(out, torch.from_numpy(y[rows])).backward()
            optimizer.step()
            schedule.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b)
    assert [m["epoch"] for m in fitted.history] == [1, 2, 3]


def test_bits_are_learned_each_for_itself():
    x, y = make_data()
    bits = np.stack([y, 1 - y, x[:, 0] > 0], axis=1).astype(np.float32)
    network = PlainNetwork(6, 3, nodes=30, seed=0)
    fitted = fit(
        network, x, bits, task="bits", validation=(x, bits),
        options=TrainingOptions(epochs=40, optimizer="adam", learning_rate=0.02),
    )  # fmt: skip
    logits = predict_values(network, x)
    wrong = ((logits.numpy() > 0) != (bits > 0.5)).mean()
    assert wrong < 0.05
    found = evaluate(network, x, bits, "bits")
    assert found.error == pytest.approx(wrong)
    theirs = functional.binary_cross_entropy(torch.sigmoid(logits), torch.from_numpy(bits))
    assert found.loss == pytest.approx(theirs.item(), rel=1e-5)
    assert found.error == min(m["validation_error"] for m in fitted.history)


def test_best_epoch_is_kept_with_its_wiring():
    x, y = make_data()
    network = NeuralModules(6, 2, nodes=20, seed=0)
    seen = []
    fitted = fit(
        network, x[:200], y[:200], task="classification",
        options=TrainingOptions(epochs=12, learning_rate=0.5, schedule="constant"),
        rule=repulsion(network), validation=(x[200:], y[200:]),
        on_epoch=lambda m: seen.append((m["validation_error"], m["validation_loss"])),
    )  # fmt: skip
    best = min(range(12), key=lambda i: seen[i])
    assert fitted.best_epoch == best + 1
    found = evaluate(network, x[200:], y[200:], "classification")
    assert (found.error, found.loss) == pytest.approx(seen[best])
    assert network.topology.num_edges == 40


def test_metrics_tell_of_wiring_and_solver():
    x, y = make_data()
    network = NeuralModules(6, 2, nodes=20, seed=0)
    changes = []
    fitted = fit(
        network, x, y, task="classification", options=TrainingOptions(epochs=2),
        rule=repulsion(network), on_rewiring=lambda *event: changes.append(event),
    )  # fmt: skip
    metrics = fitted.history[-1]
    assert metrics["edges"] == 40
    assert metrics["lost"] == 0
    assert metrics["sweeps_max"] >= metrics["sweeps_mean"] > 0
    assert metrics["largest_module"] == max(metrics["module_sizes"], default=0)
    grown = sum(len(r.grown) for _, epoch, r, _ in changes if epoch == 2)
    assert metrics["grown"] == metrics["pruned"] == grown
    assert fitted.converged


def test_regression_minimises_the_squared_error():
    x, _ = make_data()
    y = (x[:, 0] - 0.5 * x[:, 1]).astype(np.float32)
    network = PlainNetwork(6, 1, nodes=20, seed=0)
    options = TrainingOptions(epochs=40, learning_rate=0.1)
    fit(network, x[:200], y[:200], task="regression", options=options)
    found = evaluate(network, x[200:], y[200:], "regression")
    assert found.error < 0.2 * y.std()
    assert found.error == pytest.approx(found.loss**0.5)


def test_sparse_rows_give_the_same_as_dense():
    x, y = make_data(100)
    x[x < 0.5] = 0
    nets = []
    for rows in (x, csr_matrix(x)):
        network = PlainNetwork(6, 2, nodes=5, seed=0)
        fit(network, rows, y, task="classification", options=TrainingOptions(epochs=2))
        nets.append(predict_values(network, rows))
    torch.testing.assert_close(nets[0], nets[1])


def test_ctrl_c_keeps_what_was_learned():
    x, y = make_data()
    network = PlainNetwork(6, 2, nodes=5, seed=0)

    def stop(metrics):
        if metrics["epoch"] == 2:
            raise KeyboardInterrupt

    options = TrainingOptions(epochs=9)
    fitted = fit(network, x, y, task="classification", options=options, on_epoch=stop)
    assert fitted.interrupted
    assert len(fitted.history) == 2


def test_a_loss_that_is_not_finite_ends_training_in_words():
    x, y = make_data()
    x[5, 2] = np.inf
    network = PlainNetwork(6, 2, nodes=5, activation="relu", seed=0)
    with pytest.raises(EngineError, match="lower the learning rate"):
        fit(network, x, y, task="classification", options=TrainingOptions(epochs=1))


def test_options_report_every_problem():
    with pytest.raises(EngineError) as caught:
        TrainingOptions(
            epochs=0, batch_size=0, learning_rate=0.0, momentum=1.0, weight_decay=-1.0, schedule="x"
        )
    for word in ("epochs", "batch_size", "learning_rate", "momentum", "weight_decay", "schedule"):
        assert word in str(caught.value)


def test_rows_and_targets_must_match():
    x, y = make_data(10)
    with pytest.raises(EngineError, match="one target per row"):
        fit(PlainNetwork(6, 2), x, y[:9], task="classification", options=TrainingOptions())


@pytest.mark.parametrize(("rows", "size"), [(10, 8), (300, 10), (10_000, 128)])
def test_automatic_batch_size(rows, size):
    assert automatic_batch_size(rows) == size


def test_plain_network_refuses_unknown_activations():
    with pytest.raises(EngineError, match="unknown activation"):
        PlainNetwork(2, 2, activation="relux")
