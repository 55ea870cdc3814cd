"""The docs: what they show runs, what they link to is there, what is made from code is current."""

import json
import pydoc
import re
import runpy
from pathlib import Path

import pytest
import yaml

from tests.documents import ROOT, blocks, run_command, run_python

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
DOCUMENTS = [*PAGES, *ROOT.glob("*.md")]
RUN = ("index.md", "guides/images.md", "guides/features.md", "guides/chip.md")
"""Pages that are run from top to bottom, each in the folder that the one before left."""


def test_guides_run(workplace, capsys):
    for name in RUN:
        shown = list(blocks((DOCS / name).read_text()))
        assert shown
        for kind, block in shown:
            if kind == "python":
                run_python(block, name)
                continue
            for command in block.strip().splitlines():
                if command.startswith("deepstdp train"):
                    command += " --overwrite"  # the run of another page
                assert run_command(command) == 0, f"{command}: {capsys.readouterr().err}"


@pytest.mark.parametrize("path", sorted((DOCS / "notebooks").glob("*.ipynb")), ids=lambda p: p.stem)
def test_notebooks_run_and_were_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cells = [c for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert not any(out["output_type"] == "error" for cell in cells for out in cell["outputs"])
    code = "\n".join("".join(cell["source"]) for cell in cells)
    run_python(code.replace('"training.epochs": 5', '"training.epochs": 1'), path.name)


def test_pages_of_notebooks_are_current():
    pages = runpy.run_path(str(DOCS / "notebooks" / "write_pages.py"))["pages"]()
    assert len(pages) == len(list((DOCS / "notebooks").glob("*.ipynb")))
    for page, content in pages.items():
        found = page.read_text()
        assert found == content, "python docs/notebooks/write_pages.py brings it up to date"


def anchors(path: Path) -> set[str]:
    """Of the headings of a page, as sites make them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    cleaned = (re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in headings)
    return {re.sub(r"[\s]+", "-", heading) for heading in cleaned}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path):
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        linked = (path.parent / name).resolve() if name else path
        assert linked.exists(), f"{path.name} links to {target}"
        assert path not in PAGES or DOCS in linked.parents, f"{target} is not in the site"
        assert not anchor or anchor in anchors(linked), f"{path.name} links to {target}"


def _leaves(node) -> list[str]:
    if isinstance(node, str):
        return [node]
    parts = node.values() if isinstance(node, dict) else node
    return [leaf for part in parts for leaf in _leaves(part)]


def test_the_site_has_every_page():
    listed = _leaves(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    assert sorted(listed) == [page.relative_to(DOCS).as_posix() for page in PAGES]


def test_what_the_reference_of_python_names_is_there_and_documented():
    names = re.findall(r"^::: (\S+)$", (DOCS / "reference" / "python.md").read_text(), re.MULTILINE)
    assert len(names) > 10
    for name in names:
        found = pydoc.locate(name)
        assert found is not None, name
        assert found.__doc__, name


def test_the_reference_of_commands_is_current(monkeypatch):
    monkeypatch.setenv("COLUMNS", "92")
    reference = runpy.run_path(str(DOCS / "reference" / "write_commands.py"))["reference"]
    page = (DOCS / "reference" / "commands.md").read_text()
    assert page == reference(), "python docs/reference/write_commands.py brings it up to date"
