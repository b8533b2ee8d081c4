import json

import pytest
import torch
import typer
from typer.testing import CliRunner

from nervure.benchmarks import BENCHMARKS
from nervure.cli.bench import bench
from nervure.engine import calibration, costs
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
    with pytest.raises(
        NervureError, match=r"did you mean dag-sweep\?.*sparse-step, dag-sweep.*calibrate"
    ):
        CliRunner().invoke(app, ["dag-swep"], catch_exceptions=False)


# -- calibrate -----------------------------------------------------------------------------------


@pytest.fixture
def calibrated(monkeypatch, tmp_path):
    """The packaged table instead of a measured one; gives the seconds and threads asked for."""
    asked = []

    def calibrate(seconds, progress):
        asked.append((seconds, torch.get_num_threads()))
        progress(1, 2)
        return costs.load_table(costs.PACKAGED)

    monkeypatch.setattr(calibration, "calibrate", calibrate)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return asked


def calibrate(*arguments):
    arguments = ["calibrate", *map(str, arguments)]
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_calibrate_shows_the_table_and_writes_the_users(calibrated):
    result = calibrate("--seconds", 3, "--threads", 1)
    assert calibrated == [(3, 1)]
    assert "native_panel_edge" in result.stdout
    assert f"written to {costs.user_table_path()}; from now on" in result.stdout
    assert costs.load_table(costs.user_table_path()) == costs.load_table(costs.PACKAGED)


def test_calibrate_writes_elsewhere_as_json(calibrated, tmp_path):
    path = tmp_path / "new" / "table.json"
    found = json.loads(calibrate("--json", "-o", path).stdout)
    assert calibrated[0][0] == 20
    assert found["output"] == str(path)
    assert found["rates"] == costs.load_table(path).rates
    assert not costs.user_table_path().exists()


def test_calibrate_replaces_a_named_file_only_by_force(calibrated, tmp_path):
    path = tmp_path / "table.json"
    path.write_text("mine")
    with pytest.raises(NervureError, match="--force"):
        calibrate("--output", path)
    assert not calibrated
    assert path.read_text() == "mine"
    assert calibrate("--output", path, "--force").exit_code == 0
    assert costs.load_table(path).threads


@pytest.mark.usefixtures("calibrated")
def test_calibrate_says_where_it_cannot_write(tmp_path):
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(NervureError, match=r"cannot write .*costs\.json"):
        calibrate()


@pytest.mark.parametrize(
    "arguments",
    [["calibrate", "--quick"], ["overhead", "--seconds", "1"], ["--output", "x"], ["--force"]],
)
def test_options_of_the_other_kind_are_usage_errors(arguments, calibrated):
    assert CliRunner().invoke(app, arguments).exit_code == 2
    assert not calibrated
