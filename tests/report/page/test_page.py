import json
import re
import shutil

import pytest

from deepstdp import UserError
from deepstdp.cli import main
from deepstdp.report.page import page as page_module
from deepstdp.report.page import write_report
from deepstdp.run_dir import RunDir
from tests.report.conftest import NASTY


@pytest.fixture(scope="module")
def html(runs, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    return write_report(runs, path).read_text()


def test_the_page_is_whole_small_and_asks_for_nothing(html):
    assert len(html.encode()) < 10_000_000
    own = re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL)  # plotly's code names its home
    assert "http" not in own.replace("http-equiv", "")
    assert "default-src 'none'" in html
    assert NASTY not in html
    for content in re.findall(r'<script type="application/json">(.*?)</script>', html, re.DOTALL):
        json.loads(content)


def test_all_methods_are_looked_into(html):
    assert re.findall(r'<article class="run" id="(run-\d)"', html) == ["run-0", "run-1", "run-2"]
    assert "of 0 epochs" not in html


def test_a_page_that_would_be_too_large_leaves_runs_out(runs, tmp_path, monkeypatch):
    one = write_report(runs[:1], tmp_path / "one.html").stat().st_size
    monkeypatch.setattr(page_module, "LARGEST", one + 1000)
    html = write_report(runs, tmp_path / "report.html").read_text()
    assert html.count('<article class="run"') == 1
    assert "Not looked into" in html


def test_an_unfinished_run_has_a_page(runs, tmp_path):
    run = runs[0]
    for name in ("config.yaml", "metrics.jsonl"):
        (tmp_path / name).write_bytes((run.path / name).read_bytes())
    html = write_report([RunDir(tmp_path)], tmp_path / "report.html").read_text()
    assert "not finished" in html
    assert "Linear probe" in html


def test_a_run_that_has_just_begun_has_a_page(runs, tmp_path):
    (tmp_path / "config.yaml").write_bytes((runs[0].path / "config.yaml").read_bytes())
    html = write_report([RunDir(tmp_path)], tmp_path / "report.html").read_text()
    assert "0 of 2 epochs" in html


def test_a_clustering_of_another_run_is_one_line(runs, tmp_path):
    for path in runs[0].path.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    clustering = (runs[2].path / "clustering.safetensors").read_bytes()
    (tmp_path / "clustering.safetensors").write_bytes(clustering)
    with pytest.raises(UserError, match="does not fit"):
        write_report([RunDir(tmp_path)], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_the_command(runs, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["report", str(runs[0].path), "--out", str(tmp_path / "a.html")]) == 0
    assert capsys.readouterr().out == f"report: {tmp_path / 'a.html'}\n"
    assert main(["report", *(str(run.path) for run in runs[:3])]) == 0
    assert (tmp_path / "report.html").exists()
    assert main(["report", str(tmp_path)]) == 2
    assert "no run directory and no folder of compare" in capsys.readouterr().err
    assert main(["report", str(runs[0].path), "--out", str(tmp_path / "no" / "a.html")]) == 2


def copied(run, path):
    """A run's folder, to be spoilt."""
    shutil.copytree(run.path, path)
    return RunDir(path)


def test_a_damaged_conversion_is_one_line(runs, tmp_path):
    run = copied(runs[0], tmp_path / "run")
    (run.path / "spiking").mkdir()
    (run.path / "spiking" / "conversion.json").write_text('{"curve": [{"points": 3}]}')
    with pytest.raises(UserError, match=r"its conversion\.json is damaged \(KeyError"):
        write_report([run], tmp_path / "report.html")


def test_class_names_that_are_no_text_have_a_page(runs, tmp_path):
    """On Linux a name is any bytes."""
    run = copied(runs[0], tmp_path / "run")
    summary = run.summary()
    run.write_summary({**summary, "class_names": ["\udcff", *summary["class_names"][1:]]})
    html = write_report([run], tmp_path / "report.html").read_text()
    assert "\\udcff" in html
