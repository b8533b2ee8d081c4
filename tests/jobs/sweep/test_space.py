"""Where settings may be, from the command line and from a file."""

from itertools import product

import pytest
import typer
from typer.testing import CliRunner

from nervure.cli.sweep.space import space_of
from nervure.cli.train import METHODS, options
from nervure.cli.train.method import command_of
from nervure.errors import SettingsError
from nervure.jobs.sweep import Between, OneOf
from nervure.jobs.sweep.space import combinations, every_combination


def spaces(method, search, path=None, arguments=()):
    """Parse as the command does, without searching."""
    found = []

    def act(method, context, asked, /, *, config: options.Config = None):  # noqa: ARG001
        found.append(space_of(method, context, asked, search, path))

    app = typer.Typer()
    (known,) = (m for m in METHODS if m.name == method)
    app.command(method)(command_of(known, act))
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return found[0]


def test_command_line():
    space = spaces(
        "set",
        ["learning-rate=0.01:1:log", "epsilon=1:5", "epochs=5:9", "motif-size=auto,2",
         "rule=set,rigl", "tied=true,false"],
    )  # fmt: skip
    assert space == {
        "learning_rate": Between(0.01, 1.0, log=True),
        "epsilon": Between(1.0, 5.0),
        "epochs": Between(5, 9),
        "motif_size": OneOf((None, 2), ("auto", "2")),
        "rule": OneOf(("set", "rigl")),
        "tied": OneOf((True, False)),
    }
    assert [space[name].whole for name in ("epochs", "epsilon")] == [True, False]


def test_file(tmp_path):
    path = tmp_path / "space.toml"
    path.write_text(
        "learning_rate = {low = 0.01, high = 1, log = true}\nhidden = [[20], [20, 10], '5,5']\n"
        "epochs = '3:7'\n"
    )
    assert spaces("set", [], path) == {
        "learning_rate": Between(0.01, 1.0, log=True),
        "hidden": OneOf(((20,), (20, 10), (5, 5)), ("20", "20,10", "5,5")),
        "epochs": Between(3, 7),
    }


@pytest.mark.parametrize(
    ("search", "word"),
    [
        ("learnin-rate=0.1:1", r"--search learnin-rate: no option .* \(did you mean learning-rate"),
        ("learning-rate", "expected a setting and where"),
        ("learning-rate=1:0.1", "learning-rate: expected low < high, got 1 and 0.1"),
        ("momentum=0:0.5:log", "expected low > 0"),
        ("learning-rate=0.1:1:lg", "expected low:high or low:high:log"),
        ("learning-rate=0.1:x", "learning-rate: expected a valid number, got"),
        ("epochs=0:3", "epochs: expected greater than or equal to 1"),
        ("epochs=3,3", "expected different values, got 3, 3"),
        ("rule=set:rigl", "rule: takes no numbers"),
        ("rule=set,rigle", "rule: expected one of 'set'"),
        ("seed=0:5", "seed: all trials of a sweep have the same"),
        ("batch-size=1:5", "batch-size: searched, and given"),
    ],
)
def test_errors_name_setting_and_what_was_expected(search, word):
    with pytest.raises(SettingsError, match=word):
        spaces("set", [search], arguments=["--batch-size", "3"])


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("epochs = 3", r"space\.toml: epochs: expected a list of values, or low and high, got 3"),
        ("epochs = {low = 3}", "expected low, high and perhaps log"),
        ("epochs = ['3', 4]\nx = 3", "x: expected a list"),
        ("", "nothing to search"),
    ],
)
def test_errors_of_files(text, word, tmp_path):
    path = tmp_path / "space.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=word):
        spaces("set", [], path)


def test_points():
    space = {"a": OneOf((1, 2, 3)), "b": OneOf(("x", "y"))}
    assert combinations(space) == 6
    assert [tuple(p.values()) for p in every_combination(space)] == list(product("123", "xy"))
    assert combinations({**space, "c": Between(0, 1)}) is None
