"""Canonical JSON: one text for one value, so that a digest of it means something.

The subset of RFC 8785 in which it is simple and certain: objects with string keys (sorted by UTF-16 code units, as the
RFC has it), arrays, strings, booleans, null and integers of magnitude below 2^53. Fractions are refused, because two
writers may print the same number differently: write them as strings.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

__all__ = ["canonical", "digest_of", "number_text"]

_LARGEST = 2**53 - 1


def canonical(value: object) -> bytes:
    """The canonical bytes of `value`.

    Raises TypeError or ValueError for what has no canonical form: fractions, integers from 2^53, keys that are not
    strings, lone surrogates.
    """
    return json.dumps(_ordered(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")


def _ordered(value: object) -> object:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        if abs(value) > _LARGEST:
            raise ValueError("an integer from 2^53 has no canonical form: write it as a string")
        return value
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise TypeError("a key that is not a string has no canonical form")
        return {
            key: _ordered(value[key]) for key in sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        }
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_ordered(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no canonical form")


def digest_of(value: object) -> str:
    """`sha256:<hex>` over the canonical bytes of `value`."""
    return "sha256:" + hashlib.sha256(canonical(value)).hexdigest()


def number_text(number: float) -> str:
    """A fraction as the shortest text that reads back as the same number."""
    return repr(float(number))
