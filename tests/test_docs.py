"""The code of the pages that teach runs as it stands, top to bottom, and links lead somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
PAGES = sorted(DOCS.rglob("*.md"))


@pytest.mark.parametrize("name", ["index.md", "concepts.md", "own-rule.md", "pytorch.md"])
def test_the_code_of_a_page_runs(name, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(), re.DOTALL)
    assert len(blocks) > 1
    names = {"__name__": "page"}
    for block in blocks:
        exec(compile(block, name, "exec"), names)
    assert capsys.readouterr().out


def test_the_rule_of_the_page_is_one_of_forty_lines_and_prunes():
    page = (DOCS / "own-rule.md").read_text()
    block = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0]
    assert len(block.splitlines()) <= 40


def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("sphinx")
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", DOCS, tmp_path],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "nervure.rules.Repulsion" in (tmp_path / "reference" / "rules.html").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_and_names_of_pages_lead_somewhere(page):
    text = page.read_text()
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text):
        assert (page.parent / target).exists(), target
    for name in re.findall(r"`(docs/[\w-]+\.md)`", text):
        assert (DOCS.parent / name).exists(), name
