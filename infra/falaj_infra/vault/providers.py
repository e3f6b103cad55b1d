"""What the Vault resources do: create, read, compare, update and delete, each over `client.Vault`.

Creating is safe to repeat: after a run that was killed, an object that already is what it should be is adopted. A mount
or key that is anything else is a conflict, because there is data under it that Falaj did not make. A policy, role or
secret is a declaration under a name that only the stack writes, and is written again.
"""

from __future__ import annotations

import abc
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from pulumi.dynamic import CreateResult, DiffResult, ReadResult, ResourceProvider, UpdateResult

from falaj_infra.errors import VaultConflict, VaultError
from falaj_infra.vault.client import Vault, connect

__all__ = [
    "KubernetesAuthConfigProvider",
    "KubernetesAuthRoleProvider",
    "KvSecretProvider",
    "MountProvider",
    "PolicyProvider",
    "TransitKeyProvider",
]

Props = dict[str, Any]

# Right after a KV version 2 mount is made, Vault refuses writes until it has set it up.
KV_ATTEMPTS = 20
KV_PAUSE_SECONDS = 0.25


class VaultProvider(ResourceProvider, abc.ABC):
    """What the providers share. `inputs` are compared; a change in one of `identity` makes a new object."""

    serialize_as_secret_always = False
    inputs: ClassVar[tuple[str, ...]]
    identity: ClassVar[tuple[str, ...]]

    @abc.abstractmethod
    def id_of(self, props: Props) -> str:
        """The object's id: its path in Vault."""

    @abc.abstractmethod
    def make(self, vault: Vault, props: Props) -> None:
        """Bring the object to `props`, whether or not it exists."""

    @abc.abstractmethod
    def fetch(self, vault: Vault, props: Props) -> Props | None:
        """`props` as Vault has them now, or None where the object is gone."""

    @abc.abstractmethod
    def remove(self, vault: Vault, props: Props) -> None:
        """Delete the object; gone already is fine."""

    def change(self, vault: Vault, olds: Props, news: Props) -> None:
        """Bring an object that the stack made from `olds` to `news`."""
        self.make(vault, news)

    def create(self, props: Props) -> CreateResult:
        self.make(connect(), props)
        return CreateResult(id_=self.id_of(props), outs=self._declared(props))

    def read(self, id_: str, props: Props) -> ReadResult:
        found = self.fetch(connect(), props)
        return ReadResult() if found is None else ReadResult(id_, found)

    def diff(self, _id: str, _olds: Props, _news: Props) -> DiffResult:
        changed = [name for name in self.inputs if _olds.get(name) != _news.get(name)]
        replaces = [name for name in changed if name in self.identity]
        return DiffResult(changes=bool(changed), replaces=replaces, stables=list(self.identity))

    def update(self, _id: str, _olds: Props, _news: Props) -> UpdateResult:
        self.change(connect(), _olds, _news)
        return UpdateResult(outs=self._declared(_news))

    def delete(self, _id: str, _props: Props) -> None:
        self.remove(connect(), _props)

    def _declared(self, props: Props) -> Props:
        return {name: props[name] for name in self.inputs if props.get(name) is not None}


class MountProvider(VaultProvider):
    """A secrets engine (`root` sys/mounts) or an auth method (`root` sys/auth)."""

    inputs = ("root", "path", "type", "description", "options")
    identity = ("root", "path", "type", "options")

    def id_of(self, props: Props) -> str:
        return str(props["path"])

    def make(self, vault: Vault, props: Props) -> None:
        found = self.fetch(vault, props)
        if found is None:
            body = {key: props[key] for key in ("type", "description", "options") if props.get(key) is not None}
            vault.write(_mount(props), body)
        elif found != self._declared(props):
            raise VaultConflict(f"Vault already has another mount at {props['path']}: remove it or choose another name")

    def change(self, vault: Vault, olds: Props, news: Props) -> None:
        vault.write(f"{_mount(news)}/tune", {"description": news["description"]})

    def fetch(self, vault: Vault, props: Props) -> Props | None:
        try:
            found = vault.read(_mount(props))
        except VaultError as error:
            # Vault answers 400, not 404, where nothing is mounted.
            if "No secret engine mount at" in str(error) or "No auth engine at" in str(error):
                return None
            raise
        if found is None:
            return None
        now = {**props, "type": found["type"], "description": found["description"]}
        if props.get("options"):
            now["options"] = {key: (found.get("options") or {}).get(key) for key in props["options"]}
        return self._declared(now)

    def remove(self, vault: Vault, props: Props) -> None:
        vault.delete(_mount(props))


def _mount(props: Props) -> str:
    return f"{props['root']}/{props['path']}"


class PolicyProvider(VaultProvider):
    """An ACL policy: `name` and its `document` in Vault's HCL."""

    inputs = ("name", "document")
    identity = ("name",)

    def id_of(self, props: Props) -> str:
        return str(props["name"])

    def make(self, vault: Vault, props: Props) -> None:
        vault.write(f"sys/policies/acl/{props['name']}", {"policy": props["document"]})

    def fetch(self, vault: Vault, props: Props) -> Props | None:
        found = vault.read(f"sys/policies/acl/{props['name']}")
        return None if found is None else {"name": props["name"], "document": found["policy"]}

    def remove(self, vault: Vault, props: Props) -> None:
        vault.delete(f"sys/policies/acl/{props['name']}")


class TransitKeyProvider(VaultProvider):
    """A key that never leaves Vault: not exportable, no plaintext backup, not deletable while it is in use."""

    inputs = ("mount", "name", "type")
    identity = ("mount", "name", "type")

    def id_of(self, props: Props) -> str:
        return f"{props['mount']}/keys/{props['name']}"

    def make(self, vault: Vault, props: Props) -> None:
        path = self.id_of(props)
        vault.write(path, {"type": props["type"], "exportable": False, "allow_plaintext_backup": False})
        # Vault answers the same whether it made the key or had one: look at what stands there.
        found = vault.read(path)
        if found is None or found["type"] != props["type"] or found["exportable"] or found["allow_plaintext_backup"]:
            raise VaultConflict(f"Vault already has another key at {path}, or one that can be exported")

    def fetch(self, vault: Vault, props: Props) -> Props | None:
        found = vault.read(self.id_of(props))
        return None if found is None else {**self._declared(props), "type": found["type"]}

    def remove(self, vault: Vault, props: Props) -> None:
        path = self.id_of(props)
        if vault.read(path) is not None:
            vault.write(f"{path}/config", {"deletion_allowed": True})
            vault.delete(path)


class KvSecretProvider(VaultProvider):
    """One secret of a KV version 2 mount; deleting it removes all its versions."""

    inputs = ("mount", "path", "data")
    identity = ("mount", "path")

    def id_of(self, props: Props) -> str:
        return f"{props['mount']}/data/{props['path']}"

    def make(self, vault: Vault, props: Props) -> None:
        found = self.fetch(vault, props)
        if found is not None and found["data"] == props["data"]:
            return
        for attempt in range(KV_ATTEMPTS):
            try:
                vault.write(self.id_of(props), {"data": props["data"]})
                return
            except VaultError as error:
                if "Upgrading from non-versioned" not in str(error) or attempt == KV_ATTEMPTS - 1:
                    raise
                time.sleep(KV_PAUSE_SECONDS)

    def fetch(self, vault: Vault, props: Props) -> Props | None:
        try:
            found = vault.read(self.id_of(props))
        except VaultError as error:
            if "Upgrading from non-versioned" in str(error):
                return None
            raise
        if found is None or found.get("data") is None:
            return None
        return {**self._declared(props), "data": found["data"]}

    def remove(self, vault: Vault, props: Props) -> None:
        vault.delete(f"{props['mount']}/metadata/{props['path']}")


class KubernetesAuthConfigProvider(VaultProvider):
    """How a `kubernetes` auth method asks the cluster whose token it was given; it never shows the reviewer's."""

    inputs = ("mount", "host", "ca", "reviewer_token")
    identity = ("mount",)

    def id_of(self, props: Props) -> str:
        return f"auth/{props['mount']}/config"

    def make(self, vault: Vault, props: Props) -> None:
        vault.write(
            self.id_of(props),
            {
                "kubernetes_host": props["host"],
                "kubernetes_ca_cert": props["ca"],
                "token_reviewer_jwt": props["reviewer_token"],
                "disable_local_ca_jwt": True,
            },
        )

    def fetch(self, vault: Vault, props: Props) -> Props | None:
        found = vault.read(self.id_of(props))
        if found is None:
            return None
        return {**self._declared(props), "host": found["kubernetes_host"], "ca": found["kubernetes_ca_cert"]}

    def remove(self, vault: Vault, props: Props) -> None:
        """The configuration goes with its mount: Vault has no request that removes it alone."""


class KubernetesAuthRoleProvider(VaultProvider):
    """A role bound to exactly one service account of one namespace, for tokens of one audience."""

    inputs = ("mount", "name", "service_account", "namespace", "audience", "policies", "ttl_seconds")
    identity = ("mount", "name")

    def id_of(self, props: Props) -> str:
        return f"auth/{props['mount']}/role/{props['name']}"

    def make(self, vault: Vault, props: Props) -> None:
        vault.write(
            self.id_of(props),
            {
                "bound_service_account_names": [props["service_account"]],
                "bound_service_account_namespaces": [props["namespace"]],
                "audience": props["audience"],
                "token_policies": list(props["policies"]),
                "token_ttl": int(props["ttl_seconds"]),
                "token_max_ttl": int(props["ttl_seconds"]),
            },
        )

    def fetch(self, vault: Vault, props: Props) -> Props | None:
        found = vault.read(self.id_of(props))
        if found is None:
            return None
        return {
            **self._declared(props),
            "service_account": _only(found["bound_service_account_names"]),
            "namespace": _only(found["bound_service_account_namespaces"]),
            "audience": found["audience"],
            "policies": list(found["token_policies"]),
            "ttl_seconds": found["token_ttl"],
        }

    def remove(self, vault: Vault, props: Props) -> None:
        vault.delete(self.id_of(props))


def _only(values: list[str] | Mapping[str, object]) -> str:
    """The one bound name, or all of them in one text, which differs from any one and so shows as drift."""
    return ",".join(values)
