"""Where a stack is, and the facts about its resources that follow from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from falaj_policies.facts import UNKNOWN, ResourceFact, StackFact, Unknown, package_of

__all__ = ["CLOUDS", "Place"]

# Where a resource (or its provider) says itself where it is, by the first part of its type: the cloud, the input.
CLOUDS: Final[Mapping[str, tuple[str, str]]] = {
    "aws": ("aws", "region"),
    "azure-native": ("azure", "location"),
    "azure": ("azure", "location"),
    "alicloud": ("alibaba", "region"),
    "oci": ("oracle", "region"),
}
# What is in the stack's own cluster or state, or in no region at all. Whatever package is neither here nor above may
# make something anywhere: where that is stays unknown, which RES-01 refuses.
_OF_THE_STACK: Final = frozenset(
    {
        "azuread", "command", "kubernetes", "pulumi", "pulumi-nodejs", "pulumi-python", "random", "time", "tls",
        "vault",
    }
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a stack's resources are: a (cloud, region) pair, and the jurisdiction that it must lie in.

    `cloud` and `region` are UNKNOWN for a project that does not say them. They are where the objects of a cluster are;
    a cloud's resource is where it, or its provider, says itself. `jurisdiction` is empty where none is said, which
    RES-01 refuses. `standby` is the second site's pair.
    """

    cloud: str | Unknown
    region: str | Unknown
    jurisdiction: str
    tenant: str | None = None
    regime: str = ""
    transfer_basis: str = ""
    standby: tuple[str, str] | None = None

    def resource(
        self,
        type_: str,
        name: str,
        inputs: Mapping[str, object],
        *,
        urn: str = "",
        provider: Mapping[str, object] | None = None,
        references: Mapping[str, tuple[str, ...]] | None = None,
        secret_paths: Iterable[str] = (),
    ) -> ResourceFact:
        """A resource of this stack; `provider` is its provider's configuration where that is known.

        `secret_paths` are the paths of secret inputs: no finding says what is there.
        """
        cloud, region = self._where(type_, inputs, provider or {})
        return ResourceFact(
            urn=urn or f"{type_}::{name}",
            type=type_,
            name=name,
            inputs=inputs,
            cloud=cloud,
            region=region,
            jurisdiction=self.jurisdiction,
            tenant=self.tenant,
            regime=self.regime,
            references=references or {},
            secret_paths=frozenset(secret_paths),
        )

    def stack(
        self, name: str, resources: tuple[ResourceFact, ...], *, backend: str = "", encryption: str = ""
    ) -> StackFact:
        """The stack of these resources, here; `backend` and `encryption` as StackFact has them."""
        return StackFact(
            stack=name,
            jurisdiction=self.jurisdiction,
            cloud=self.cloud,
            region=self.region,
            resources=resources,
            tenant=self.tenant,
            regime=self.regime,
            transfer_basis=self.transfer_basis,
            standby=self.standby,
            backend=backend,
            encryption=encryption,
        )

    def _where(
        self, type_: str, inputs: Mapping[str, object], provider: Mapping[str, object]
    ) -> tuple[str | Unknown, str | Unknown]:
        package = package_of(type_)
        if package in _OF_THE_STACK:
            return self.cloud, self.region
        if package not in CLOUDS:
            return UNKNOWN, UNKNOWN
        cloud, key = CLOUDS[package]
        said = inputs.get(key, provider.get(key, UNKNOWN))
        return cloud, said if isinstance(said, str) else UNKNOWN
