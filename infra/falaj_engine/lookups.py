"""What a program gets that looks something up while nothing is there to ask: values that are not known.

The SDK's output forms (`get_ami_output`) have a way to say so. Its plain forms (`get_ami`) return a value at once, so
they get one that holds Pulumi's marker of the unknown wherever there is text: whatever is made of it is told by that.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, get_args, get_origin

from falaj_engine.values import UNKNOWN_TEXT

__all__ = ["unknown_lookups"]

# How many items an unknown list has: programs take the first few, or go through all.
_ITEMS: Final = 3
_DEPTH: Final = 4


@contextmanager
def unknown_lookups() -> Iterator[None]:
    """Plain invokes give unknown values inside this block, where the monitor answers that it does not know."""
    import pulumi
    from pulumi.runtime.invoke import InvokeResult

    ask = pulumi.runtime.invoke

    def invoke(
        tok: str, props: Any, opts: Any = None, typ: type | None = None, package_ref: Any = None
    ) -> InvokeResult:
        result = ask(tok, props, opts, typ, package_ref)
        return InvokeResult(_unknown(typ, 0)) if result.value is None and typ is not None else result

    pulumi.runtime.invoke = invoke
    try:
        yield
    finally:
        pulumi.runtime.invoke = ask


def _unknown(typ: Any, depth: int) -> Any:
    """A value of an SDK's type that is not known; None for what cannot hold the marker."""
    from pulumi import _types

    origin = get_origin(typ)
    arguments = [part for part in get_args(typ) if part is not type(None)]
    if typ is str or typ is Any:
        return UNKNOWN_TEXT
    if origin in (list, tuple) or (origin is not None and getattr(origin, "__name__", "") == "Sequence"):
        return [_unknown(arguments[0], depth + 1)] * _ITEMS if arguments and depth < _DEPTH else []
    if origin is dict or (origin is not None and getattr(origin, "__name__", "") == "Mapping"):
        return {}
    if origin is not None and arguments:
        # An optional value, or one of several: the first that can be told.
        return _unknown(arguments[0], depth)
    if isinstance(typ, type) and _types.is_output_type(typ) and depth < _DEPTH:
        return _types.output_type_from_dict(
            typ, {name: _unknown(of, depth + 1) for name, of in _types.output_type_types(typ).items()}
        )
    return None
