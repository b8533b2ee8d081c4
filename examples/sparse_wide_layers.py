"""Wide layers with one edge in fifty, single or in motifs.

    python examples/sparse_wide_layers.py           # about 20 s
    python examples/sparse_wide_layers.py --quick

Sparse evolutionary training on handwritten digits, single edges against motifs of 4 x 4, with a run
folder: stopped at any moment and started again, it goes on where it was.
"""

import sys
from pathlib import Path

import nervure
from nervure.rules import SET
from nervure.training import Run

quick = "--quick" in sys.argv
width, epochs = (60, 2) if quick else (1000, 15)
digits = nervure.data.prepare(nervure.data.load("digits"), seed=0)

for motif_size in (1, 4):
    net = nervure.SparseMLP([64, width, width, 10], epsilon=10, motif_size=motif_size, seed=0)
    options = nervure.TrainingOptions(epochs=epochs, learning_rate=0.05, momentum=0.9)
    steps = options.steps_per_epoch(len(digits.y_train))
    folder = Path(f"runs/sparse-wide-layers-{motif_size}-{width}")
    stopped = folder.exists() and Run.open(folder).status != "finished"
    with Run.resume(folder) if stopped else Run.create(folder, config={}, force=True) as run:
        fitted = nervure.fit(
            net,
            digits.x_train,
            digits.y_train,
            task="classification",
            options=options,
            rule=lambda net, optimizer, steps=steps: SET(net, optimizer, interval=steps, seed=0),
            validation=(digits.x_validation, digits.y_validation),
            run=run,
        )
    error = nervure.training.evaluate(net, digits.x_test, digits.y_test, "classification").error
    print(f"motifs of {motif_size}: {net.core.weight.numel():,} weights, test error {error:.2%}, "
          f"{fitted.seconds:.1f} s")  # fmt: skip
