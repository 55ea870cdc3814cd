"""The templates of the page."""

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from deepstdp.report.page.charts import script_json


def templates() -> Environment:
    """Templates that escape whatever is put into them."""
    environment = Environment(
        loader=PackageLoader("deepstdp.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["script_json"] = lambda value: Markup(script_json(value))
    return environment
