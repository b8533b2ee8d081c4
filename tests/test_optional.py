import sys

import pytest

from nervure.errors import MissingDependencyError
from nervure.optional import find, install, require


def test_a_package_that_is_there_is_imported():
    assert require("json", "this", install("none")).loads("[1]") == [1]
    assert find("json") is sys.modules["json"]


def test_a_missing_one_is_named_with_its_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "absent.part", None)
    with pytest.raises(MissingDependencyError) as caught:
        require("absent.part", "drawing", install("drawing"), package="absent-py")
    assert str(caught.value) == 'drawing needs absent-py: pip install "nervure[drawing]"'
    assert find("absent.part") is None


@pytest.mark.parametrize("error", ["ImportError('torn')", "OSError('no libfoo.so')"])
def test_one_that_does_not_load_is_as_good_as_missing(tmp_path, monkeypatch, error):
    (tmp_path / "torn.py").write_text(f"raise {error}")
    monkeypatch.syspath_prepend(tmp_path)
    assert find("torn") is None


def test_warnings_of_its_import_are_not_the_users(tmp_path, monkeypatch):
    (tmp_path / "old.py").write_text("import warnings\nwarnings.warn('old', DeprecationWarning)")
    monkeypatch.syspath_prepend(tmp_path)
    assert find("old") is not None
