"""One self-contained page of HTML about one run or several: opens from disk, needs no network."""

from deepstdp.report.page.notebook import run_html
from deepstdp.report.page.page import PAGE, write_report

__all__ = ["PAGE", "run_html", "write_report"]
