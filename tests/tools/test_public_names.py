import importlib
import importlib.util
import inspect
import tomllib
from pathlib import Path

import pytest

import nervure

ROOT = Path(__file__).parents[2]


def tool():
    path = ROOT / "tools" / "public_names.py"
    spec = importlib.util.spec_from_file_location("public_names", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_lists_every_public_name():
    names = tool()
    assert names.PAGE.read_text() == names.page(), "run python tools/public_names.py"


@pytest.mark.parametrize("package", tool().PACKAGES)
def test_every_listed_name_is_there_and_documented(package):
    module = importlib.import_module(package)
    for name in tool().names_of(package):
        value = getattr(module, name)
        if inspect.isclass(value) or inspect.isroutine(value):
            assert (value.__doc__ or "").strip(), f"{package}.{name} has no docstring"


def test_the_package_and_its_metadata_have_one_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == nervure.__version__
