"""Which cluster a stack's objects are in: recorded beside the state, so that no other is taken for it.

The record is a file of its own, `.falaj/<project>/<stack>.json` in the backend's directory: the Pulumi CLI's files stay
as it writes them. A cluster is known by the uid of its namespace kube-system.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from falaj_engine import urn as urns
from falaj_engine.errors import ClusterError, OtherClusterError, StateError
from falaj_engine.goal import default_name
from falaj_engine.kube.client import ApiError, Client


@dataclass(frozen=True, slots=True)
class Identity:
    """A cluster. server: where it was reached last; site: it was the embedded site's."""

    uid: str
    server: str
    site: bool


@dataclass(frozen=True, slots=True)
class Clusters:
    """The clusters of one stack, by provider.

    path: the record. in_use: the providers that objects of the stack depend on; only they hold the stack to a cluster.
    site: clusters met now are the embedded site's. keep: what is met is recorded.
    """

    path: Path
    stack: str
    in_use: frozenset[str]
    site: bool
    keep: bool

    def holds(self, provider: str) -> bool:
        """True when objects of the stack depend on the provider."""
        return _key(provider) in self.in_use

    def meet(self, provider: str, client: Client) -> None:
        """Record the cluster met. Raises OtherClusterError where the stack's objects are in another, ClusterError
        where that cannot be told.
        """
        name = _key(provider)
        records = self._read()
        known = records.get(name) if name in self.in_use else None
        uid = _uid(client)
        server = client.cluster.server
        if known is not None and uid is None:
            raise ClusterError(
                f"{server}: cannot tell whether this is the cluster of stack {self.stack!r}: "
                "the user of the kubeconfig may not get the namespace kube-system"
            )
        if known is not None and known.uid != uid:
            raise OtherClusterError(self._explain(known, server), remade=known.site and self.site)
        if uid is not None and self.keep and records.get(name) != (met := Identity(uid, server, self.site)):
            self._write({**records, name: met})

    def elsewhere(self) -> list[str]:
        """Servers of the clusters, not the embedded site's, that objects of the stack are in."""
        records = self._read()
        return sorted(records[name].server for name in self.in_use if name in records and not records[name].site)

    def _explain(self, known: Identity, server: str) -> str:
        forget = f"`falaj stack rm -s {self.stack} --force`"
        if known.site and self.site:
            return (
                f"stack {self.stack!r} was made on an embedded site that has since been purged and made anew: "
                f"{forget} forgets it, then `falaj up -s {self.stack}` makes it on this one"
            )
        own = (
            "the embedded site: use that (`falaj site up`, no --kubeconfig)"
            if known.site
            else f"{known.server}: name it with --kubeconfig"
        )
        return (
            f"stack {self.stack!r} is not in the cluster at {server} but in {own}, "
            f"or forget the stack with {forget} where that cluster is gone"
        )

    def _read(self) -> dict[str, Identity]:
        try:
            document = json.loads(self.path.read_bytes())
            return {name: Identity(**entry) for name, entry in document["kubernetes"].items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise StateError(f"{self.path}: the record of the stack's cluster cannot be read: {error!r}") from None

    def _write(self, records: dict[str, Identity]) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self.path.with_suffix(f".json.{os.getpid()}.tmp")
        text = json.dumps({"version": 1, "kubernetes": {name: asdict(entry) for name, entry in records.items()}})
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(self.path)


def providers_in_use(resources: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Names of the providers of Kubernetes objects. resources: type and provider reference of each."""
    names = {
        urns.name_of(provider.rsplit("::", 1)[0])
        for type_, provider in resources
        if type_.startswith("kubernetes:") and provider
    }
    return frozenset(map(_key, names))


def _key(provider: str) -> str:
    # The engine's own carries the version of the SDK in its name.
    return "default" if default_name(provider) else provider


def _uid(client: Client) -> str | None:
    """The cluster's, or None where the user may not know it."""
    try:
        return str(client.request("GET", "/api/v1/namespaces/kube-system")["metadata"]["uid"])
    except ApiError as error:
        if error.status in (403, 404):
            return None
        raise ClusterError(f"{client.cluster.server}: cannot tell which cluster this is: {error}") from None
