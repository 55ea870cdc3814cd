"""Licences of everything that an installation brings along, as the packages say themselves.

python -m benchmarks.licences [--extras study,nir,onnx]
"""

import argparse
import re
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement

from deepstdp.tables import markdown_table

PERMISSIVE = (
    *(
        "MIT",
        "BSD",
        "3-Clause BSD",
        "0BSD",
        "Apache",
        "Apache-2.0",
        "PSF",
        "Python Software Foundation",
        "ISC",
    ),
    *("Zlib", "CC0-1.0", "BSL-1.0", "Unlicense", "HPND", "MPL-2.0"),
)
"""How the names of licences begin that ask for no more than to be named (MPL: by its own files)."""


def required(name: str, extras: Iterable[str] = ()) -> dict[str, Distribution]:
    """The installed packages that a package needs, itself among them, by name."""
    found: dict[str, Distribution] = {}
    _add(name, tuple(extras), found)
    return dict(sorted(found.items()))


def _add(name: str, extras: tuple[str, ...], found: dict[str, Distribution]) -> None:
    try:
        package = distribution(name)
    except PackageNotFoundError:  # for another system
        return
    key = package.metadata["Name"].lower().replace("_", "-")
    if key in found and not extras:
        return
    found[key] = package
    for line in package.requires or []:
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            _add(requirement.name, tuple(requirement.extras), found)


def licence(package: Distribution) -> str:
    """The licence that a package states."""
    metadata = package.metadata
    if expression := metadata.get("License-Expression"):
        return expression
    stated = [c.split("::")[-1].strip() for c in metadata.get_all("Classifier", [])]
    named = [c for c in stated if c.endswith("License")]
    return ", ".join(named) or (metadata.get("License") or "none stated").split("\n")[0]


def is_permissive(stated: str) -> bool:
    """Whether one of the alternatives has nothing but permissive parts."""
    alternatives = re.split(r"\bOR\b", stated)
    return any(
        all(part.strip("() ").startswith(PERMISSIVE) for part in re.split(r"\bAND\b|,", one))
        for one in alternatives
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--extras", default="", help="of deepstdp, with commas")
    extras = [extra for extra in parser.parse_args().extras.split(",") if extra]
    packages = required("deepstdp", extras)
    rows = [(name, package.version, licence(package)) for name, package in packages.items()]
    print("\n".join(markdown_table(("package", "version", "licence"), rows)))


if __name__ == "__main__":
    main()
