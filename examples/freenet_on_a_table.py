"""A FreeNet on a table, among other scikit-learn estimators.

    python examples/freenet_on_a_table.py           # about 30 s
    python examples/freenet_on_a_table.py --quick

Breast cancer (569 rows, 30 measurements): the same cross-validation for a FreeNet, logistic
regression and a plain network; then what the wiring has become.
"""

import sys

from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nervure import FreeNetClassifier

quick = "--quick" in sys.argv
folds, epochs = (2, 3) if quick else (5, 20)
x, y = load_breast_cancer(return_X_y=True)
freenet = FreeNetClassifier(neurons=30, epsilon=0.45, epochs=epochs, random_state=0)

for name, model in {
    "FreeNet": freenet,
    "logistic regression": LogisticRegression(max_iter=1000),
    "plain network": MLPClassifier((30,), max_iter=1000, random_state=0),
}.items():
    scores = cross_val_score(make_pipeline(StandardScaler(), model), x, y, cv=folds)
    print(f"{name}: accuracy {scores.mean():.3f} ± {scores.std():.3f}")

freenet.fit(StandardScaler().fit_transform(x), y)
wiring = freenet.topology_
print(f"{wiring}: {wiring.num_edges} of {30 * 29 // 2} possible edges, depth {wiring.depth}")
