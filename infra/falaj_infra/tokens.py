"""Generated secrets that live in the stack's state, encrypted, and change only when they are replaced.

The Pulumi `random` package needs a provider plugin that a machine without a network does not have.
"""

from __future__ import annotations

import secrets
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

__all__ = ["RandomToken"]

MIN_BYTES = 16


class RandomTokenProvider(ResourceProvider):
    """`bytes` random bytes as hexadecimal text, from the operating system's generator."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        size = int(props["bytes"])
        if size < MIN_BYTES:
            raise ValueError(f"a token of {size} bytes can be guessed: use {MIN_BYTES} or more")
        # The id is no part of the value: ids are shown, values never.
        return CreateResult(id_=secrets.token_hex(8), outs={"bytes": size, "value": secrets.token_hex(size)})

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        changed = int(_olds["bytes"]) != int(_news["bytes"])
        return DiffResult(changes=changed, replaces=["bytes"] if changed else [])

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        return UpdateResult(outs={"bytes": _olds["bytes"], "value": _olds["value"]})


class RandomToken(Resource, module="falaj", name="RandomToken"):
    """A random hexadecimal token.

    Outputs: `value` (secret), text of twice `bytes` characters 0-9a-f, safe in URLs, SQL and shells.
    """

    value: pulumi.Output[str]

    def __init__(self, name: str, *, size: int = 32, opts: pulumi.ResourceOptions | None = None) -> None:
        secret = pulumi.ResourceOptions(additional_secret_outputs=["value"])
        super().__init__(
            RandomTokenProvider(), name, {"bytes": size, "value": None}, pulumi.ResourceOptions.merge(opts, secret)
        )
