"""Imports go one way, and the value of a graph needs no torch."""

import ast
from pathlib import Path

import pytest

import nervure

SOURCE = Path(nervure.__file__).parent

# What each part of the package may import besides itself.
ALLOWED = {
    "errors": set(),
    "textual": set(),
    "folders": set(),
    "optional": {"errors"},
    "processes": set(),
    "topology": {"errors", "_core"},
    "measures": {"errors", "optional", "topology"},
    "engine": {"errors", "folders", "_core", "topology"},
    "networks": {"errors", "topology", "engine"},
    "rules": {"errors", "_core", "topology", "engine", "networks"},
    "modules": {"errors", "topology", "networks"},
    "baselines": {"errors", "optional", "topology", "engine", "networks"},
    "training": {
        "errors", "folders", "optional", "_core", "topology", "engine", "networks", "rules",
        "modules", "baselines",
    },
    "export": {
        "errors", "folders", "optional", "textual", "topology", "engine", "networks", "baselines",
        "training",
    },
    "estimators": {"errors", "topology", "networks", "rules", "modules", "training"},
    "data": {"errors", "folders", "textual"},
    "report": {"errors", "folders", "topology", "measures", "modules", "networks", "training"},
    "jobs": {
        "errors", "folders", "optional", "processes", "textual", "data", "topology", "engine",
        "measures", "modules", "networks", "rules", "training", "baselines", "report",
    },
    "reproduce": {
        "errors", "optional", "processes", "textual", "baselines", "data", "measures", "modules",
        "networks", "report", "rules", "topology", "training",
    },
    "benchmarks": {
        "errors", "optional", "_core", "topology", "engine", "modules", "networks", "rules",
        "training",
    },
    "cli": {
        "errors", "textual", "benchmarks", "data", "engine", "export", "jobs", "modules",
        "report", "reproduce", "rules", "training",
    },
}  # fmt: skip
WITHOUT_TORCH = ("topology", "measures", "data", "errors", "textual", "folders", "optional")


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module == "nervure":
                yield from (f"nervure.{alias.name}" for alias in node.names)
            else:
                yield node.module


def files_of(part):
    return (
        [SOURCE / f"{part}.py"]
        if (SOURCE / f"{part}.py").exists()
        else (SOURCE / part).rglob("*.py")
    )


@pytest.mark.parametrize("part", ALLOWED)
def test_imports_go_one_way(part):
    for path in files_of(part):
        for name in imports_of(path):
            if name.startswith("nervure."):
                other = name.split(".")[1]
                if other == "__version__":
                    continue
                assert other == part or other in ALLOWED[part], f"{path.name} imports {name}"
            if part in WITHOUT_TORCH:
                assert name.split(".")[0] != "torch", path.name


def test_every_part_is_in_the_list():
    parts = {p.name for p in SOURCE.iterdir() if p.is_dir() and not p.name.startswith("__")}
    assert parts <= set(ALLOWED)
