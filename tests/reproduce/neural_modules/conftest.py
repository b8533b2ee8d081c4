import pytest

from nervure.data import registry
from nervure.reproduce.neural_modules import job


@pytest.fixture
def digits(monkeypatch):
    """Put scikit-learn's digits in the place of every dataset of the paper."""
    job._loaded.cache_clear()
    monkeypatch.setattr(job, "load", lambda _: registry.load("digits"))
    yield
    job._loaded.cache_clear()
