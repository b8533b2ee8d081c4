import pytest

from nervure.errors import RunError
from nervure.reproduce import Ledger


def test_results_come_back_by_their_settings(tmp_path):
    ledger = Ledger(tmp_path / "deep" / "ledger.sqlite")
    ledger.put("a", {"size": 3, "seed": 0}, {"error": 0.5}, 1.0)
    ledger.put("a", {"size": 3, "seed": 1}, {"error": 0.25}, 1.0)
    ledger.put("b", {"size": 3, "seed": 0}, {"error": 0.125}, 1.0)
    again = Ledger(tmp_path / "deep" / "ledger.sqlite")
    # The order of the settings says nothing.
    assert again.get("a", {"seed": 1, "size": 3}) == {"error": 0.25}
    assert again.get("a", {"seed": 2, "size": 3}) is None
    assert list(again.results("a")) == [
        ({"size": 3, "seed": 0}, {"error": 0.5}),
        ({"size": 3, "seed": 1}, {"error": 0.25}),
    ]


def test_a_later_result_replaces_the_earlier(tmp_path):
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.put("a", {"seed": 0}, {"error": 1}, 1.0)
    ledger.put("a", {"seed": 0}, {"error": 2}, 1.0)
    assert [result for _, result in ledger.results("a")] == [{"error": 2}]


def test_what_is_no_number_is_refused(tmp_path):
    with pytest.raises(ValueError, match="Out of range float"):
        Ledger(tmp_path / "ledger.sqlite").put("a", {}, {"error": float("nan")}, 1.0)


def test_a_file_of_something_else(tmp_path):
    path = tmp_path / "ledger.sqlite"
    path.write_text("not a database, and long enough to be read as one" * 40)
    with pytest.raises(RunError, match=r"cannot use the ledger .* another folder by --out"):
        Ledger(path)
