"""How long dense networks have to train."""

from dataclasses import replace

from nervure import SparseMLP
from nervure.modules import boolean_task
from nervure.training.sculpting import SculptingOptions, Task, sculpt, shortest_training

OPTIONS = SculptingOptions(
    learning_rate=0.05, noise=0.1, threshold=1.0, unit_steps=(0.4,), edge_steps=()
)


def test_the_number_found_is_the_first_with_which_all_dense_networks_learn_the_task():
    x, y = boolean_task("both").truth_table()
    task = Task.of(x, y, x, y, "bits")
    starts = [SparseMLP([6, 24, 3], density=1.0, seed=seed).core for seed in (0, 1)]
    ladder = (1, 4, 10, 30)
    found = shortest_training(starts, task, OPTIONS, seeds=(0, 1), ladder=ladder)
    assert found in ladder[1:]
    for epochs in ladder[: ladder.index(found) + 1]:
        networks = sculpt(starts, task, replace(OPTIONS, epochs=epochs), seeds=(0, 1))
        learned = [grid[0].rounds[0].merit == 1 for grid in networks]
        assert all(learned) == (epochs == found)
    assert shortest_training(starts, task, OPTIONS, seeds=(0, 1), ladder=(1,)) is None
