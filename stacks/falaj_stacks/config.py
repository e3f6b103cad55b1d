"""A stack's configuration: the one object `falaj:stack` of its `Pulumi.<stack>.yaml`, validated once and frozen.

Region and jurisdiction have no default: where data may live is always said, never assumed.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import pulumi
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from falaj_infra.stack_files import position
from falaj_stacks.errors import ConfigError

__all__ = [
    "KEY",
    "Quota",
    "RegionConfig",
    "Role",
    "StackConfig",
    "Standby",
    "TenantConfig",
    "VaultConfig",
    "load",
    "parse",
]

KEY = "falaj:stack"
T = TypeVar("T")

Role = Literal["data-scientist", "approver", "operator"]
Regime = Literal["pdpl", "cbuae", "health", "difc", "adgm", "gdpr"]
# Free zones whose law treats the country around them as a third country: being in it is no basis for a transfer.
ZONES = frozenset({"difc", "adgm"})

# The tenant's own workloads log in under these names: a member of the same name would be one of them.
WORKLOADS = frozenset({"default", "postgres", "mlflow", "ray", "serving", "audit"})

Label = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
StackName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][-A-Za-z0-9_.]{0,99}$")]
Quantity = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$")]
HttpsUrl = Annotated[str, StringConstraints(pattern=r"^https://[^\s/?#@]+$")]
# No hyphen: policies and roles in Vault are named tenant-<id>-<member>, and `a-b`+`c` must never read as `a`+`b-c`.
TenantId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]{0,30}$")]
ImageByDigest = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][-a-z0-9_./:]*@sha256:[0-9a-f]{64}$")]


def _ip(value: str) -> str:
    return str(ipaddress.ip_address(value))


def _member(name: str) -> str:
    if name in WORKLOADS:
        raise ValueError(f"`{name}` is the name of one of the tenant's own workloads")
    return name


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class VaultConfig(_Model):
    """How Vault and this region's cluster reach each other.

    `url` is Vault as people outside the cluster reach it, `address` the IP address under which the cluster's pods do;
    `kubernetes_url` is the API server as Vault reaches it, `ca` the PEM certificates that Vault's own is checked
    against. All of it comes from the running site or the cloud.
    """

    url: HttpsUrl
    address: Annotated[str, AfterValidator(_ip)]
    kubernetes_url: HttpsUrl
    ca: Annotated[str, StringConstraints(pattern=r"^\s*-----BEGIN CERTIFICATE-----")]


class RegionConfig(_Model):
    """One region: where it is, and the platform image that its tenants run, by digest.

    `image` and `vault` are known by a running site or cloud only: without them the region can be previewed and checked,
    not made. `storage_class` is one that the cluster has; without it the embedded site's own is made.
    """

    kind: Literal["region"]
    jurisdiction: Label
    cloud: Label
    region: Label
    image: ImageByDigest | None = None
    vault: VaultConfig | None = None
    storage_class: Label | None = None


class Quota(_Model):
    """What a tenant may take at once: CPU and memory as Kubernetes quantities, storage of all its claims."""

    cpu: Quantity
    memory: Quantity
    storage: Quantity
    gpu: Annotated[int, Field(ge=0)]


class Standby(_Model):
    """The second site, which takes over where the region is lost: a (cloud, region) pair."""

    cloud: Label
    region: Label


class TenantConfig(_Model):
    """One tenant of a region. `region` is the region's stack; `regime` the law that narrows where and how.

    `standby` is the second site: some regimes require one in the country. `transfer_basis` says on what the tenant
    rests the transfer out of its own zone: required under DIFC and ADGM law.
    """

    kind: Literal["tenant"]
    tenant: TenantId
    region: StackName
    regime: Regime
    transfer_basis: Label | None = None
    standby: Standby | None = None
    quota: Quota
    members: Annotated[
        dict[Annotated[Label, AfterValidator(_member)], Annotated[list[Role], Field(min_length=1)]],
        Field(min_length=1),
    ]

    @model_validator(mode="after")
    def _basis(self) -> Self:
        if self.regime in ZONES and self.transfer_basis is None:
            raise ValueError(f"RES-05: under {self.regime} say `transfer_basis`: the region is outside that zone")
        return self


StackConfig = Annotated[RegionConfig | TenantConfig, Field(discriminator="kind")]
_ADAPTER: TypeAdapter[RegionConfig | TenantConfig] = TypeAdapter(StackConfig)
_KINDS: dict[str, type[_Model]] = {"region": RegionConfig, "tenant": TenantConfig}


def load() -> RegionConfig | TenantConfig:
    """The running stack's configuration.

    Raises ConfigError: no `falaj:stack`, or a key in it is unknown, missing or malformed.
    """
    stack = pulumi.get_stack()
    path = _stack_file(stack)
    data = pulumi.Config("falaj").get_object("stack")
    if data is None:
        raise ConfigError(f"{path.name}: no `{KEY}` in its config: say `kind: region` or `kind: tenant` and the rest")
    return parse(data, where=path)


def of_site(value: T | None, key: str) -> T | None:
    """A value that only a running site knows: None where it may be missing, in a preview.

    Raises ConfigError: it is missing and the stack is to be made.
    """
    if value is None and not pulumi.runtime.is_dry_run():
        raise ConfigError(f"{_stack_file(pulumi.get_stack()).name}: {KEY}.{key}: missing: `falaj quickstart` sets it")
    return value


def parse(data: Any, *, where: Path) -> RegionConfig | TenantConfig:
    """The validated form of `data`; `where` is the file that errors name, and read the line from if it is there.

    Raises ConfigError: as `load`.
    """
    try:
        return _ADAPTER.validate_python(data)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        # A misspelt key is also a missing one: the misspelling is what helps.
        first = next((item for item in found if item["type"] == "extra_forbidden"), found[0])
        path = tuple(part for part in first["loc"] if part != "[key]")
        if path and path[0] in _KINDS and isinstance(data, dict) and data.get("kind") == path[0]:
            path = path[1:]
        line = position(where, [KEY, *path])
        place = f"{where.name}{f', line {line}' if line else ''}: {'.'.join([KEY, *map(str, path)])}"
        raise ConfigError(f"{place}: {_what(first, path, data)}") from None


def _what(error: Any, path: tuple[str | int, ...], data: Any) -> str:
    if error["type"] == "extra_forbidden":
        known = _known_keys(data, path[:-1])
        near = difflib.get_close_matches(str(path[-1]), known, n=1)
        return "no such key: " + (f"did you mean `{near[0]}`?" if near else f"known are {', '.join(sorted(known))}")
    if error["type"] == "missing":
        return "missing: it has no default"
    if error["type"] in {"union_tag_invalid", "union_tag_not_found"}:
        return "`kind` must be `region` or `tenant`"
    return str(error["msg"]).removeprefix("Value error, ")


def _known_keys(data: Any, parents: tuple[str | int, ...]) -> list[str]:
    """The keys that the model at `parents` has; union branches are told apart by `kind`."""
    model: Any = _KINDS.get(str(data.get("kind"))) if isinstance(data, dict) else None
    for parent in parents:
        field = model.model_fields.get(str(parent)) if model is not None else None
        annotation = field.annotation if field is not None else None
        model = annotation if isinstance(annotation, type) and issubclass(annotation, _Model) else None
    return list(model.model_fields) if model is not None else []


def _stack_file(stack: str) -> Path:
    """The stack's file: in FALAJ_HOME for a local stack, else beside the project's other stacks."""
    name = f"Pulumi.{stack}.yaml"
    home = os.environ.get("FALAJ_HOME")
    root = Path(pulumi.runtime.get_root_directory() or ".")
    places = [*([Path(home) / "stacks"] if home else []), root / ".falaj" / "stacks", root / "stacks" / "config"]
    return next((place / name for place in places if (place / name).is_file()), Path(name))
