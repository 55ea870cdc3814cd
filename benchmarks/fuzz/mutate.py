"""Damage to files as fuzzers do it: small changes to files that are whole."""

from collections.abc import Callable, Sequence

import numpy as np

_SPECIAL = [b"\x00", b"\xff", b"\x7f", b"\x80", b"\n", b"\xff\xff\xff\xff", b"\x00\x00\x00\x80"]
_SPECIAL += [b"-1", b"9" * 20, b"1e999", b"nan", b"null", b"[]", b"{}", b'"', b"'", b"\\", b"../"]

Change = Callable[[bytearray, np.random.Generator], None]


def _place(content: bytearray, rng: np.random.Generator) -> int:
    return int(rng.integers(len(content) + 1))


def _part(content: bytearray, rng: np.random.Generator) -> slice:
    start = _place(content, rng)
    return slice(start, start + int(2 ** rng.uniform(0, 8)))


def _flip_bit(content: bytearray, rng: np.random.Generator) -> None:
    if content:
        content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))


def _set_byte(content: bytearray, rng: np.random.Generator) -> None:
    if content:
        content[int(rng.integers(len(content)))] = int(rng.integers(256))


def _write_special(content: bytearray, rng: np.random.Generator) -> None:
    start, special = _place(content, rng), _SPECIAL[int(rng.integers(len(_SPECIAL)))]
    content[start : start + len(special)] = special


def _insert_special(content: bytearray, rng: np.random.Generator) -> None:
    start = _place(content, rng)
    content[start:start] = _SPECIAL[int(rng.integers(len(_SPECIAL)))]


def _delete(content: bytearray, rng: np.random.Generator) -> None:
    del content[_part(content, rng)]


def _repeat(content: bytearray, rng: np.random.Generator) -> None:
    start = _place(content, rng)
    content[start:start] = content[_part(content, rng)] * int(2 ** rng.uniform(0, 6))


def _cut(content: bytearray, rng: np.random.Generator) -> None:
    del content[_place(content, rng) :]


CHANGES: Sequence[Change] = (
    *(_flip_bit, _set_byte, _write_special, _insert_special, _delete, _repeat, _cut),
)


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """A file with one to eight random changes."""
    changed = bytearray(content)
    for _ in range(int(2 ** rng.uniform(0, 3.2))):
        CHANGES[int(rng.integers(len(CHANGES)))](changed, rng)
    return bytes(changed)
