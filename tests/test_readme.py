"""The README's example runs as it stands."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


def test_python_example(capsys):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) == 1
    if len(blocks[0].splitlines()) > 16:
        pytest.fail("the example has grown beyond a glance")
    exec(blocks[0], {})
    assert "ModuleStatistics(count=" in capsys.readouterr().out
