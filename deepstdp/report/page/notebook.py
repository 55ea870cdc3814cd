"""A run in the cell of a notebook."""

import numpy as np

from deepstdp.examples import Examples
from deepstdp.report.page.clusters import make_sprite
from deepstdp.report.page.health import warnings
from deepstdp.report.page.template import templates
from deepstdp.report.page.verdict import verdict
from deepstdp.report.reading import RunView
from deepstdp.run_dir import RunDir

_ROWS = (
    ("linear_probe_accuracy", "linear probe", "{:.1%}"),
    ("knn_accuracy", "k-NN", "{:.1%}"),
    ("nmi_labels", "NMI(clusters, labels)", "{:.3f}"),
    ("assignment_stability", "keep their cluster", "{:.0%}"),
    ("n_empty_clusters", "empty clusters", "{}"),
)
_CLUSTERS, _IMAGES = 6, 8
"""How many clusters are shown, and how many images of each."""


def run_html(run: RunDir) -> str:
    """Verdict, warnings, numbers and images of the largest clusters, as one element of HTML."""
    view = RunView.read(run)
    rows = [
        (name, *(_cell(record.get(key), form) for record in (view.untrained, view.final)))
        for key, name, form in _ROWS
        if view.final.get(key) is not None
    ]
    content = {
        "verdicts": verdict({view.path.name: [view]}),
        "warnings": warnings(view),
        "rows": rows,
        "path": view.path,
        "picture": None,
        "sizes": [],
    }
    if view.examples is not None:
        content["picture"], content["sizes"] = _rows_of_images(view.examples)
    return templates().get_template("notebook.html.jinja").render(content)


def _cell(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def _rows_of_images(examples: Examples) -> tuple[str, list[int]]:
    """A picture with a row for each of the largest clusters, and how many images these have."""
    numbers = examples.largest_first[:_CLUSTERS]
    shown = np.zeros((len(numbers), _IMAGES, *examples.images.shape[1:]), dtype=np.uint8)
    for row, number in zip(shown, numbers, strict=True):
        members = examples.images[examples.clusters == number][:_IMAGES]
        row[: len(members)] = members
    sprite = make_sprite(shown.reshape(-1, *shown.shape[2:]), _IMAGES)
    return sprite.url, examples.sizes[numbers].tolist()
