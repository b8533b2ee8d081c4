"""Neural sculpting written plainly: dense masks, one network at a time, torch and nothing else."""

from itertools import pairwise

import numpy as np
import torch
from sklearn.metrics import accuracy_score, r2_score
from torch import nn
from torch.nn import functional

from nervure import GraphLayer, Topology
from nervure.training.sculpting import Task

ACTIVATIONS = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "leaky_relu": nn.LeakyReLU,
}
LOSSES = {
    "bits": nn.BCEWithLogitsLoss(),
    "classification": nn.CrossEntropyLoss(),
    "regression": nn.MSELoss(),
}


def start_of(sizes, seed=0, activation="relu", density=1.0):
    """A layered start as sculpting takes it."""
    hidden = sum(sizes[1:-1])
    return GraphLayer(
        Topology.layered(sizes, density=density, seed=seed),
        activation=["identity"] * sizes[0] + [activation] * hidden + ["identity"] * sizes[-1],
        generator=torch.Generator().manual_seed(seed),
    )


def task_of(objective, rows=24, inputs=4, outputs=3, seed=0):
    """Targets that a few inputs decide, with a validation set of its own."""
    rng = np.random.default_rng(seed)
    parts = []
    for count in (rows, rows // 2):
        x = rng.standard_normal((count, inputs)).astype(np.float32)
        z = x[:, :outputs] * np.array([1.0, 2.0, 3.0])[:outputs] + 0.5
        y = {"bits": z > 0, "classification": z.argmax(1), "regression": z}[objective]
        parts += [x, y]
    return Task.of(*parts, objective)


class Masked(nn.Module):
    """Linear layers with masks; a unit that reads nothing has no bias."""

    def __init__(self, layer, sizes, activation="relu"):
        super().__init__()
        n = sum(sizes)
        t = layer.topology
        edges = t.targets.astype(int), t.sources.astype(int)
        weight, present = torch.zeros(n, n), torch.zeros(n, n)
        weight[edges], present[edges] = layer.weight.detach(), 1.0
        self.begins = np.cumsum([0, *sizes])
        self.linears = nn.ModuleList()
        self.masks = []
        self.activation = ACTIVATIONS[activation]()
        for (a, b), (_, c) in zip(
            pairwise(self.begins[:-1]), pairwise(self.begins[1:]), strict=True
        ):
            linear = nn.Linear(b - a, c - b)
            linear.weight.data = weight[b:c, a:b].clone()
            linear.bias.data = layer.bias.detach()[b:c].clone()
            self.linears.append(linear)
            self.masks.append(present[b:c, a:b].clone())

    def forward(self, x, values=None):
        for k, (linear, mask) in enumerate(zip(self.linears, self.masks, strict=True)):
            fed = mask.any(1)
            x = functional.linear(x, linear.weight * mask, linear.bias * fed)
            if k < len(self.linears) - 1:
                x = self.activation(x)
                if values is not None:
                    x.retain_grad()
                    values.append(x)
        return x

    def snapshot(self):
        weights = {k: v.clone() for k, v in self.state_dict().items()}
        return weights, [mask.clone() for mask in self.masks]

    def restore(self, snapshot):
        weights, masks = snapshot
        self.load_state_dict(weights)
        self.masks = [mask.clone() for mask in masks]

    def present(self):
        """The mask over all nodes, [target, source]."""
        n = self.begins[-1]
        whole = np.zeros((n, n), dtype=bool)
        for k, mask in enumerate(self.masks):
            a, b, c = self.begins[k : k + 3]
            whole[b:c, a:b] = mask.numpy() > 0
        return whole


def merit_of(output, task):
    output, target = output.numpy(), task.y_validation.numpy()
    if task.objective == "classification":
        return accuracy_score(target, output.argmax(1))
    if task.objective == "bits":
        return accuracy_score(target.ravel() > 0.5, output.ravel() > 0)
    return r2_score(target, output)


def train_round(network, task, options, seed, number, threshold=None):
    """Train a network in place; its merit and epochs, with the weights of its best epoch."""
    rng = np.random.default_rng([seed, number])
    loss = LOSSES[task.objective]
    adam = torch.optim.Adam(
        network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
    )
    best, epochs = None, 0
    while epochs < options.epochs:
        epochs += 1
        order = rng.permutation(len(task.x))
        for begin in range(0, len(order), options.batch_size):
            rows = order[begin : begin + options.batch_size]
            x = task.x[rows]
            if options.noise:
                noise = rng.standard_normal(x.shape, dtype=np.float32)
                x = x + options.noise * torch.from_numpy(noise)
            adam.zero_grad()
            loss(network(x), task.y[rows]).backward()
            adam.step()
        with torch.no_grad():
            output = network(task.x_validation)
        now = merit_of(output, task), -float(loss(output, task.y_validation))
        if best is None or now >= best[0]:
            best = now, network.snapshot()
        if threshold is not None and best[0][0] >= threshold:
            break
    network.restore(best[1])
    return best[0][0], epochs


def unit_scores(network, task):
    """Mean of |a dL/da| over the validation rows, one row at a time."""
    total = 0.0
    for k in range(len(task.x_validation)):
        values = []
        output = network(task.x_validation[k : k + 1], values)
        LOSSES[task.objective](output, task.y_validation[k : k + 1]).backward()
        total = total + np.concatenate([(v * v.grad).abs().detach()[0].numpy() for v in values])
    return total / len(task.x_validation)


def prune_units(network, scores, share):
    keep = torch.from_numpy(scores > np.percentile(scores, 100 * share)).float()
    begin = 0
    for before, after in pairwise(network.masks):
        here = keep[begin : begin + len(before)]
        before *= here[:, None]
        after *= here
        begin += len(before)


def prune_edges(network, share, edges):
    strength = [(li.weight * m).detach().abs().numpy() for li, m in zip_layers(network)]
    flat = np.concatenate([s.ravel() for s in strength])
    # What the start does not have does not count.
    flat = np.sort(flat)[len(flat) - edges :]
    least = np.percentile(flat, 100 * share)
    for s, mask in zip(strength, network.masks, strict=True):
        mask *= torch.from_numpy(s > least).float()


def zip_layers(network):
    return zip(network.linears, network.masks, strict=True)


def search(step, least, pruned, attempt):
    """Algorithms 1 and 2: on by the step while it is borne, else by half of it."""
    while True:
        while pruned + step >= 1:
            if step <= least:
                return
            step = max(step / 2, least)
        if attempt(pruned + step):
            pruned += step
        elif step <= least:
            return
        else:
            step = max(step / 2, least)


def sculpt_plainly(start, sizes, task, options, seed, unit_step, edge_step, activation="relu"):
    """The network that is left, and (phase, share, accepted) of every round."""
    network = Masked(start, sizes, activation)
    edges, units = start.topology.num_edges, sum(sizes[1:-1])
    rounds = []

    def attempt(phase, share, prune):
        before = network.snapshot()
        prune()
        merit, _ = train_round(network, task, options, seed, len(rounds))
        accepted = merit >= options.threshold
        rounds.append((phase, share, accepted))
        if not accepted:
            network.restore(before)
        return accepted

    merit, _ = train_round(network, task, options, seed, 0)
    rounds.append(("dense", 0.0, merit >= options.threshold))
    if unit_step is not None:
        search(
            unit_step, 1 / units, 0.0,
            lambda p: attempt(
                "unit", p, lambda: prune_units(network, unit_scores(network, task), p)
            ),
        )  # fmt: skip
    if edge_step is not None:
        if unit_step is not None:
            attempt("settle", 0.0, lambda: None)
        gone = 1 - network.present().sum() / edges
        search(
            edge_step, 1 / edges, gone,
            lambda p: attempt("edge", p, lambda: prune_edges(network, p, edges)),
        )  # fmt: skip
    return network, rounds
