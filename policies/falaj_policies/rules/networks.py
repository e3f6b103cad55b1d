"""Networks in inputs: CIDR blocks so wide that the internet is in them."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from falaj_policies.facts import UNKNOWN
from falaj_policies.model import Objection
from falaj_policies.rules.reading import get
from falaj_policies.rules.requiring import undecided

__all__ = ["blocks", "or_named", "wider_than"]


def wider_than(ipv4: int, ipv6: int) -> Callable[[str], bool]:
    """Whether a CIDR block's prefix is shorter than this; what is no CIDR block at all is not."""
    widest = {4: ipv4, 6: ipv6}

    @lru_cache(maxsize=4096)
    def wider(block: str) -> bool:
        try:
            network = ipaddress.ip_network(block.strip(), strict=False)
        except ValueError:
            return False
        return network.prefixlen < widest[network.version]

    return wider


def or_named(wider: Callable[[str], bool], *names: str) -> Callable[[str], bool]:
    """The same, or one of these names in whatever case: Azure has words for everywhere."""
    return lambda block: block.lower() in names or wider(block)


def blocks(value: Any, path: str, *keys: str, wide: Callable[[str], bool], says: str) -> Iterator[Objection]:
    """Objections to the blocks under `keys` of `value`, text or lists of it, that are `wide`: `says` and the block."""
    for key in keys:
        found = get(value, key)
        at = f"{path}.{key}" if path else key
        for block in found if isinstance(found, list | tuple) else [found]:
            if block is UNKNOWN:
                yield undecided(at)
            elif isinstance(block, str) and wide(block):
                yield Objection(f"{says} {block}", path=at)
