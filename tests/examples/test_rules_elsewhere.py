"""The examples with other training loops learn, and their rules rewire."""

import importlib.util
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.filterwarnings("ignore")  # of the other packages, about the machine
@pytest.mark.parametrize("package", ["lightning", "skorch"])
def test_the_rule_rewires_and_the_network_learns(package, tmp_path, monkeypatch):
    pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    path = EXAMPLES / f"{package}_rule.py"
    assert len(path.read_text().splitlines()) < 60
    spec = importlib.util.spec_from_file_location(path.stem, path)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    rewired = []
    step = example.rules.Repulsion.step

    def counted(rule):
        rewiring = step(rule)
        rewired.append(rewiring.changed)
        return rewiring

    monkeypatch.setattr(example.rules.Repulsion, "step", counted)
    network, error = example.main(epochs=4)
    assert network.topology.num_edges == 200
    assert any(rewired)
    # Chance is 0.9.
    assert error < 0.1
