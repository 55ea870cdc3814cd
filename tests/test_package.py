"""What is installed from a wheel works without the repository."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import deepstdp

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder with what the wheel brings."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([*pip, *build, str(ROOT)], check=True)
    (wheel,) = folder.glob("*.whl")
    target = folder / "site"
    install = ["install", "--quiet", "--no-deps", "--target", str(target), str(wheel)]
    subprocess.run([*pip, *install], check=True)
    return target


def run_in(folder: Path, cwd: Path, code: str) -> str:
    """What Python prints that sees the installed package before the repository's."""
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{code}"]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_trains_and_reports(installed, tmp_path):
    code = """
import deepstdp
from deepstdp.cli import main
print(deepstdp.__file__)
settings = ["--data.classes", "first-2", "--training.epochs", "1", "--clustering.n_clusters", "5"]
sys.exit(main(["train", *settings, "--accelerator", "cpu", "--run_dir", "run"]))
"""
    printed = run_in(installed, tmp_path, code)
    assert printed.startswith(str(installed))
    assert (tmp_path / "run" / "report.html").stat().st_size > 1_000_000


def test_the_wheel_has_all_but_the_repository(installed):
    source = Path(deepstdp.__file__).parent
    wanted = {
        path.relative_to(source)
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    found = {
        path.relative_to(installed / "deepstdp")
        for path in (installed / "deepstdp").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert found == wanted
    assert Path("py.typed") in found
    assert {path.name for path in installed.iterdir()} - {"bin"} == {
        "deepstdp",
        next(installed.glob("deepstdp-*.dist-info")).name,
    }


def test_citation_and_templates_are_what_they_should_be():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert citation["cff-version"] == "1.2.0"
    assert citation["license"] == project["license"]
    assert citation["authors"][0]["name"] == project["authors"][0]["name"]
    for template in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"):
        form = yaml.safe_load(template.read_text())
        assert {"name", "description", "body"} <= set(form)
