"""Writes a page of the site for each notebook beside it, with the outputs that it holds.

python docs/notebooks/write_pages.py
"""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

NOTE = "*This page is the notebook [{name}]({name}), as it was last run.*\n"


def pages() -> dict[Path, str]:
    """What belongs where."""
    return {path.with_suffix(".md"): page(path) for path in sorted(HERE.glob("*.ipynb"))}


def page(path: Path) -> str:
    """A notebook in Markdown; its first cell begins with the title."""
    parts: list[str] = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(f"{source}\n")
        else:
            parts.append(f"```python\n{source}\n```\n")
            printed = "".join(_text(output) for output in cell["outputs"])
            parts += [f"```text\n{printed.rstrip()}\n```\n"] if printed.strip() else []
            parts += [_shown(output) for output in cell["outputs"] if _is_picture(output)]
    title, _, rest = parts[0].partition("\n")
    return "\n".join([f"{title}\n", NOTE.format(name=path.name), rest.lstrip("\n"), *parts[1:]])


def _is_picture(output: dict[str, Any]) -> bool:
    return bool(output.get("data", {}).keys() & {"image/png", "text/html"})


def _text(output: dict[str, Any]) -> str:
    """What was printed, or the value of the last line."""
    if output["output_type"] == "stream":
        return "".join(output["text"])
    return "" if _is_picture(output) else "".join(output["data"]["text/plain"]) + "\n"


def _shown(output: dict[str, Any]) -> str:
    """A picture, or HTML without the empty lines that Markdown takes for its end."""
    data = output["data"]
    if "text/html" in data:
        lines = "".join(data["text/html"]).splitlines()
        return "<div>\n" + "\n".join(line for line in lines if line.strip()) + "\n</div>\n"
    png = "".join(data["image/png"]).replace("\n", "")
    return f'<img alt="figure" src="data:image/png;base64,{png}">\n'


if __name__ == "__main__":
    for target, content in pages().items():
        target.write_text(content, encoding="utf-8")
        print(target)
