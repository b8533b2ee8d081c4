import json

import pytest
import torch
import typer
from typer.testing import CliRunner

from nervure.benchmarks import BENCHMARKS
from nervure.cli.bench import bench
from nervure.errors import NervureError

app = typer.Typer()
app.command()(bench)


def run(*arguments):
    return CliRunner().invoke(app, [*arguments, "--quick", "--repeats", "1"])


def test_one_benchmark_as_json():
    result = run("overhead", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["benchmark"] == "overhead"
    assert [set(row["peers"]) for row in report["rows"]] == [{"nn.Sequential"}] * 2


def test_all_benchmarks_as_json(monkeypatch):
    two = {name: BENCHMARKS[name] for name in ("dag-sweep", "overhead")}
    monkeypatch.setattr("nervure.cli.bench.BENCHMARKS", two)
    reports = json.loads(run("--json").stdout)["reports"]
    assert [report["benchmark"] for report in reports] == ["dag-sweep", "overhead"]


def test_table():
    result = run("modules-parallel")
    assert "one call per module" in " ".join(result.stdout.split())


def test_threads_hold_for_the_run_only():
    before = torch.get_num_threads()
    report = json.loads(run("overhead", "--json", "--threads", "1").stdout)
    assert report["machine"]["threads"] == 1
    assert torch.get_num_threads() == before


def test_unknown_names_list_the_known():
    with pytest.raises(NervureError, match=r"did you mean dag-sweep\?.*sparse-step, dag-sweep"):
        CliRunner().invoke(app, ["dag-swep"], catch_exceptions=False)
