"""Tests mirror the package; every call under test has its types and shapes checked."""

from beartype import BeartypeConf, beartype

# A whole number is a float, as it is for mypy.
typecheck = beartype(conf=BeartypeConf(is_pep484_tower=True))
