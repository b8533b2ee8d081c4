import sys
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.decomposition import PCA

from nervure.errors import MissingDependencyError
from nervure.measures import embedding, standardised

from .test_similarity import RANDOM, table_of


def test_components_are_scikit_learns_up_to_sign():
    found = embedding(table_of(RANDOM), seed=0, method="pca")
    expected = PCA(2).fit_transform(standardised(table_of(RANDOM)))
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-10)
    single = embedding(table_of(RANDOM[:, :1]), seed=0, method="pca")
    assert (single[:, 1] == 0).all()


def test_umap_gets_the_seed_and_no_more_neighbours_than_there_are(monkeypatch):
    asked = {}

    class Umap:
        def __init__(self, **options):
            asked.update(options)

        def fit_transform(self, features):
            asked["features"] = features
            return features[:, :2].astype(np.float32)

    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=Umap))
    found = embedding(table_of(RANDOM), seed=7)
    assert (found.dtype, found.shape) == (np.float64, (12, 2))
    assert (asked["random_state"], asked["n_neighbors"], asked["n_components"]) == (7, 11, 2)
    np.testing.assert_array_equal(asked["features"], standardised(table_of(RANDOM)))
    embedding(table_of(RANDOM), seed=7, neighbours=5)
    assert asked["n_neighbors"] == 5


def test_without_umap_the_command_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "nervure\[umap\]"') as caught:
        embedding(table_of(RANDOM), seed=0)
    assert isinstance(caught.value, ImportError)


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="umap or pca"):
        embedding(table_of(RANDOM), seed=0, method="tsne")
    with pytest.raises(ValueError, match="at least 4 graphs"):
        embedding(table_of(RANDOM[:3]), seed=0)
    with pytest.raises(ValueError, match="0 such measures"):
        embedding(table_of(np.ones((5, 3))), seed=0, method="pca")
