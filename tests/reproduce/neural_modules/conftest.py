import pytest

from nervure.data import registry
from nervure.reproduce.neural_modules import codon, job


@pytest.fixture
def digits(monkeypatch):
    """Put scikit-learn's digits in the place of every dataset of the paper."""
    for kept in (job._loaded, codon.training_rows):
        kept.cache_clear()
    monkeypatch.setattr(job, "load", lambda _: registry.load("digits"))
    yield
    for kept in (job._loaded, codon.training_rows):
        kept.cache_clear()
