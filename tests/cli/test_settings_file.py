"""Settings from a file, and settings as a file."""

import pytest
from typer.testing import CliRunner

from nervure.cli.app import app
from nervure.errors import SettingsError
from nervure.training.run import Run

QUICK = ["--neurons", "8", "--epochs", "1", "--no-baseline", "--learning-rate", "0.02"]


def call(*arguments):
    return CliRunner().invoke(app, ["train", *map(str, arguments)], catch_exceptions=False)


def printed(*arguments):
    done = call(*arguments, "--print-config")
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def write(tmp_path):
    def written(text):
        path = tmp_path / "settings.toml"
        path.write_text(text)
        return path

    return written


@pytest.mark.parametrize("method", ["neural-modules", "freenet", "set", "sculpt", "tradeoff"])
def test_what_is_printed_says_the_same_when_it_is_read(method, write):
    first = printed(method, "--data", 'a "strange"\\name.csv', "--seed", 7, "--learning-rate", 1e-7)
    assert "seed = 7" in first
    assert printed(method, "--config", write(first)) == first


def test_a_run_by_the_printed_file_is_the_same_run(write, tmp_path):
    path = write(printed("freenet", *QUICK))
    assert call("freenet", *QUICK, "--out", tmp_path / "a").exit_code == 0
    assert call("freenet", "--config", path, "--out", tmp_path / "b").exit_code == 0
    a, b = (Run.open(tmp_path / name) for name in "ab")
    assert a.request == b.request
    assert a.result["test_error"] == b.result["test_error"]


def test_the_command_line_wins_over_the_table_and_the_table_over_the_rest(write):
    path = write(
        "epochs = 3\nseed = 3\nbatch_size = 9\n"
        "[neural_modules]\nseed = 5\nepochs = 5\nnodes = 50\n[set]\nhidden = [30, 20]\ntied = true"
    )
    shown = printed("neural-modules", "--config", path, "--epochs", 7)
    assert "epochs = 7\n" in shown
    assert "seed = 5\n" in shown
    assert "batch-size = 9\n" in shown
    shown = printed("set", "--config", path)
    assert 'hidden = "30,20"\n' in shown
    assert "tied = true" in shown
    assert "seed = 3" in shown


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epoch = 3", ["epoch: no option of nervure train freenet (did you mean epochs?)"]),
        ("nodes = 3", ["nodes: no option of nervure train freenet; expected one of data, target"]),
        ("epochs = '3'", ['epochs: expected a whole number, got "3"']),
        ("epochs = 3.5", ["epochs: expected a valid integer, got 3.5"]),
        ("epochs = true", ["epochs: expected a whole number, got true"]),
        ("epochs = 0", ["epochs: expected greater than or equal to 1, got 0"]),
        ("baseline = 'no'", ['baseline: expected true or false, got "no"']),
        ("data = 5", ["data: expected text, got 5"]),
        ("optimizer = 'adm'", ["optimizer: expected one of 'sgd', 'adam', 'adamw', got"]),
        ("config = 'x'", ["config: no option"]),
        ("resume = 'x'", ["resume: no option"]),
        ("[frenet]\na = 1", ["[frenet]: no method (did you mean freenet?)"]),
        ("[freenet]\nx = 1", ["[freenet] x: no option"]),
        ("batch-size = 3\nbatch_size = 3", ["batch_size: given twice"]),
        ("epoch = 3\nseed = 'x'", ["epoch: no option", "seed: expected a valid integer"]),
        ("epochs = = 3", ["is no TOML file", "line 1"]),
    ],
)
def test_every_error_names_file_key_and_what_was_expected(text, words, write):
    with pytest.raises(SettingsError) as error:
        call("freenet", "--config", write(text))
    for word in ("settings.toml", *words):
        assert word in str(error.value)


def test_values_are_checked_as_those_of_the_command_line(write):
    with pytest.raises(SettingsError, match="hidden: expected numbers of nodes such as 300,300"):
        call("set", "--config", write("hidden = [30, 0]"))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(SettingsError, match=r"cannot read .*none\.toml: No such file"):
        call("freenet", "--config", tmp_path / "none.toml")


def test_with_resume_it_is_refused(write, tmp_path):
    done = call("freenet", "--resume", tmp_path, "--config", write("epochs = 3"))
    assert done.exit_code == 2
    assert "leave out --config" in " ".join(done.output.replace("│", "").split())
