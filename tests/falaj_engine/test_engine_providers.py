"""Providers of resources known only from the state."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from types import SimpleNamespace
from typing import Any, cast

from falaj_engine.nullprovider import NullProvider
from falaj_engine.provider import Provider
from falaj_engine.providers import Providers
from falaj_engine.state import ResourceState

URN = "urn:pulumi:dev::case::pulumi:providers:kubernetes::default"


def state(**fields: Any) -> ResourceState:
    return ResourceState(custom=True, **fields)


def test_many_deletes_at_once_make_one_provider() -> None:
    """Each would otherwise configure its own and write the record of the stack's cluster over the others'."""
    made: list[str] = []

    def factory(name: str, _inputs: Any) -> Provider:
        made.append(name)
        time.sleep(0.02)
        return NullProvider()

    providers = Providers({"kubernetes": factory}, {})
    entry = state(urn=URN, type="pulumi:providers:kubernetes", id="1")
    providers.attach(cast(Any, SimpleNamespace(snapshot=SimpleNamespace(resources=lambda: [entry]))))
    resource = state(
        urn="urn:pulumi:dev::case::kubernetes:core/v1:ConfigMap::a",
        type="kubernetes:core/v1:ConfigMap",
        id="a",
        provider=f"{URN}::1",
    )
    together = Barrier(8)

    def ask(_number: int) -> Provider:
        together.wait()
        return providers.for_state(resource)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(8)))
    assert made == ["default"]
    assert len({id(provider) for provider in found}) == 1
