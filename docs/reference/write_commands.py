"""Writes commands.md, the reference of the command line, from the parsers themselves.

python docs/reference/write_commands.py
"""

import os
from pathlib import Path

from deepstdp.cli.commands import COMMANDS
from deepstdp.cli.help import help_screen, sections_of

HEADER = """# Commands and settings

Made from the parsers: what `deepstdp COMMAND --help` prints. A setting goes on the command line, or
into the YAML file of `--config`, where the parts of its name are nested.
"""


def reference() -> str:
    """The page: every command, and the settings of an experiment once."""
    parts = [HEADER]
    for name, command in COMMANDS.items():
        parts.append(f"## deepstdp {name}\n\n```text\n{help_screen(command.parser())}\n```\n")
    train = COMMANDS["train"].parser()
    parts.append("## Settings of an experiment\n")
    for section in sections_of(train):
        parts.append(f"### {section}\n\n```text\n{help_screen(train, section)}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    os.environ["COLUMNS"] = "92"  # what the page is wide
    page = Path(__file__).with_name("commands.md")
    page.write_text(reference(), encoding="utf-8")
    print(page)
