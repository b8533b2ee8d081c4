"""The same sweep on a Ray cluster, a local one."""

import pytest

from nervure.errors import DataError
from nervure.jobs import FreeNetRequest, train_freenet
from nervure.jobs.sweep import Between, SweepRequest, run_sweep

ray = pytest.importorskip("ray")
pytest.importorskip("optuna")

# Ray's own threads and sockets outlive the test.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def cluster():
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield
    ray.shutdown()


def test_it_is_the_same_sweep(cluster, tmp_path):  # noqa: ARG001
    def sweep(folder, **options):
        return run_sweep(
            SweepRequest(
                method="freenet",
                train=train_freenet,
                request=FreeNetRequest(neurons=6, epochs=2, **options),
                space={"learning_rate": Between(1e-3, 0.1, log=True)},
                trials=2,
                out=tmp_path / folder,
                engine=folder,
            )
        )

    here, there = (sweep(engine).trials for engine in ("processes", "ray"))
    assert [(t.values, t.error) for t in here] == [(t.values, t.error) for t in there]
    with pytest.raises(DataError, match=r"no file nothing\.csv"):
        run_sweep(
            SweepRequest(
                method="freenet",
                train=train_freenet,
                request=FreeNetRequest(data="nothing.csv"),
                space={"learning_rate": Between(1e-3, 0.1)},
                out=tmp_path / "wrong",
                engine="ray",
            )
        )
    assert ray.is_initialized()
