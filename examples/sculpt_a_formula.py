"""Sculpt a network until its task can be read off.

    python examples/sculpt_a_formula.py             # about 10 s
    python examples/sculpt_a_formula.py --quick

A Boolean task of the paper, which is two tasks side by side that the network is not told apart: it
is trained on the truth table, pruned as far as it can bear, split into modules, and written as
formulas.
"""

import sys

from nervure import SparseMLP
from nervure.modules import Hierarchy, boolean_task, detect_modules, recovered_formulas
from nervure.training.sculpting import SculptingOptions, Task, sculpt, sparsest

quick = "--quick" in sys.argv
task = boolean_task("[4, 2, 4]")
x, y = task.truth_table()
start = SparseMLP([x.shape[1], 24, 24, y.shape[1]], density=1.0, seed=0)
options = SculptingOptions(
    epochs=60,
    learning_rate=0.01,
    noise=0.1,
    threshold=1.0,  # of all bits: the pruned network must still be right about everything
    unit_steps=(0.4,) if quick else (0.1, 0.2, 0.4),
    edge_steps=(0.02,) if quick else (0.005, 0.01, 0.02),
)
((*networks,),) = sculpt([start.core], Task.of(x, y, x, y, "bits"), options, seeds=[0])
best = sparsest(networks)
print(f"{start.topology.num_edges} edges before, {best.topology.num_edges} after; "
      f"right about {best.merit:.0%} of the bits")  # fmt: skip

best.into(start.core)
found = detect_modules(start)
hierarchy = Hierarchy.from_detection(found)
print(hierarchy.with_formulas(recovered_formulas(start, found, hierarchy)).describe())
