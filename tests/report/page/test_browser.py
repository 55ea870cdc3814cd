"""The page in a real browser. Screenshots are kept in ``.artefacts``, to be looked at."""

import os
import shutil
from pathlib import Path

import pytest

from deepstdp.config.deployment import ConversionConfig
from deepstdp.deployment.run import convert_run
from deepstdp.report.page import write_report
from deepstdp.run_dir import RunDir
from tests.report.conftest import NASTY, three_layers

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
ARTEFACTS = Path(__file__).parents[3] / ".artefacts"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (apt install chromium)")


@pytest.fixture(scope="module")
def page_path(runs, tmp_path_factory):
    """Of all runs, the first of them converted."""
    folder = tmp_path_factory.mktemp("page")
    converted = RunDir(shutil.copytree(runs[0].path, folder / "stdp" / runs[0].path.name))
    with three_layers():
        convert_run(converted, ConversionConfig(timesteps=4), converted.path / "spiking")
    return write_report([converted, *runs[1:]], folder / "report.html")


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as engine:
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        started = engine.chromium.launch(executable_path=CHROMIUM, args=options)
        yield started
        started.close()


@pytest.fixture
def open_page(browser, page_path):
    """Opens the page; whatever the browser complains of, asks for or is alerted by is a failure."""
    complaints, opened = [], []

    def open_it(width=1280, height=900, scheme="light"):
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        opened.append(page)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        page.on(
            "request",
            lambda r: r.url.startswith(("file:", "data:", "blob:")) or complaints.append(r.url),
        )
        page.goto(page_path.as_uri())
        return page

    yield open_it
    for page in opened:
        page.close()
    assert complaints == []


def draw_all(page):
    """Scroll through, as charts are drawn when they are first seen."""
    for chart in page.query_selector_all(".chart"):
        if chart.is_visible():
            chart.scroll_into_view_if_needed()
            chart.wait_for_selector(".main-svg", state="attached")


@pytest.mark.parametrize(
    ("name", "width", "scheme"),
    [("wide", 1280, "light"), ("dark", 1280, "dark"), ("phone", 390, "light")],
)
def test_all_charts_are_drawn_and_fit(open_page, name, width, scheme):
    page = open_page(width, 900, scheme)
    draw_all(page)
    visible = [chart for chart in page.query_selector_all(".chart") if chart.is_visible()]
    assert len(visible) >= 9
    assert all(chart.query_selector(".plot path, .plot image, .plot rect") for chart in visible)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.documentElement.dataset.theme") == (
        "dark" if scheme == "dark" else "light"
    )
    ARTEFACTS.mkdir(exist_ok=True)
    page.evaluate("window.scrollTo(0, 0)")
    page.screenshot(path=ARTEFACTS / f"report-{name}.png", full_page=True)


def test_clusters_open_and_sort(open_page):
    page = open_page()
    rows = page.query_selector_all("#run-0 .cluster")
    sizes = [int(row.get_attribute("data-size")) for row in rows]
    assert sizes == sorted(sizes, reverse=True)
    row = next(r for r in rows if len(r.query_selector_all(".thumb")) > 8)
    hidden = row.query_selector_all(".thumb")[8]
    assert not hidden.is_visible()
    row.click()
    assert hidden.is_visible()
    row.press("Enter")
    assert not hidden.is_visible()
    page.click("#run-0 [data-sort=purity]")
    rows = page.query_selector_all("#run-0 .cluster")
    purities = [float(row.get_attribute("data-purity")) for row in rows]
    assert purities == sorted(purities, reverse=True) != sizes


def test_a_conversion_is_drawn_over_time(open_page):
    page = open_page()
    draw_all(page)
    (over_time,) = (
        chart
        for chart in page.query_selector_all("#run-0 .chart")
        if "Energy of an image over time" in chart.inner_text()
    )
    assert len(over_time.query_selector_all(".scatterlayer .trace")) == 2  # as sent, and held


def test_names_stay_text(open_page):
    page = open_page()
    assert NASTY in page.inner_text("#run-0 .clusters")
    assert "<b>un&" in page.inner_text("#verdict")
    assert page.query_selector("#verdict b") is None
    draw_all(page)
    assert page.evaluate("document.querySelectorAll('.plot script').length") == 0


def test_the_map_shows_the_image_under_the_cursor(open_page):
    page = open_page()
    chart = page.query_selector("#run-0 .map .chart")
    chart.scroll_into_view_if_needed()
    chart.wait_for_selector(".points path")
    colours = "Array.from(document.querySelector('#run-0 .map .plot').data[0].marker.color)"
    before = page.evaluate(colours)
    page.click("#run-0 [data-colour=label]")
    assert page.evaluate(colours) != before
    chart.query_selector(".points path").hover(force=True)
    page.wait_for_selector("#hover .thumb")
    url = page.evaluate("document.querySelector('#hover .thumb').style.backgroundImage")
    assert url.startswith('url("data:image/webp')


def test_another_run_and_another_image_can_be_looked_into(open_page):
    page = open_page()
    assert page.is_visible("#run-0")
    assert not page.is_visible("#run-1")
    page.click("#run-0 [data-shown='1']")
    presented = page.query_selector_all("#run-0 .presented")
    assert [part.is_visible() for part in presented] == [False, True, False, False]
    assert page.inner_text("#run option:nth-child(3)") == "<b>un&"
    page.select_option("#run", "1")
    assert not page.is_visible("#run-0")
    assert page.is_visible("#run-1")


def test_nothing_moves_when_a_chart_is_drawn(open_page):
    page = open_page()
    height = "document.documentElement.scrollHeight"
    before = page.evaluate(height)
    draw_all(page)
    assert abs(page.evaluate(height) - before) < 10


def test_the_theme_changes(open_page):
    page = open_page()
    draw_all(page)
    page.click("#theme")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.wait_for_timeout(200)
    ink = page.evaluate("document.querySelector('.plot').layout.font.color")
    assert ink == "#e6e8eb"
