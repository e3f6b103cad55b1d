"""What rules judge: plain values, collected by whoever applies the rules (a gate, an engine, a replica)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

__all__ = [
    "UNKNOWN",
    "Fact",
    "FileFact",
    "ModelFact",
    "ProjectFact",
    "ResourceFact",
    "StackFact",
    "StatementFact",
    "Unknown",
    "kind_of",
    "package_of",
]


class Unknown:
    """A value that is not known yet, for instance an output at preview. There is one: `UNKNOWN`."""

    _instance: Unknown | None = None

    def __new__(cls) -> Unknown:
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __bool__(self) -> bool:
        raise TypeError("an unknown value is neither true nor false: compare with `is UNKNOWN`")


UNKNOWN: Final = Unknown()


class Fact:
    """The root of the fact types."""

    __slots__ = ()


def package_of(type_: str) -> str:
    """The package of a Pulumi type token, or of what a provider's own token is about.

    A package that was generated for one API version (`azure-native_storage_v20240101`) is the same as the whole one.
    """
    package = type_.removeprefix("pulumi:providers:").partition(":")[0]
    return "azure-native" if package.startswith("azure-native_") else package


@lru_cache(maxsize=4096)
def kind_of(type_: str) -> str:
    """A Pulumi type token without what does not decide: `package:module:Class`.

    Left out are the API version (`kubernetes:apps/v1:Deployment` is `kubernetes:apps:Deployment`,
    `azure-native:storage/v20240101:StorageAccount` is `azure-native:storage:StorageAccount`, and so is
    `azure-native_storage_v20240101:storage:StorageAccount`), the file that a class is in (`aws:s3/bucket:Bucket` is
    `aws:s3:Bucket`), `Patch` of Kubernetes and `V2` of AWS, which make the same object.
    An apiextensions CustomResource of the core group (`kubernetes:v1:Pod`) is `kubernetes:core:Pod`.
    """
    _, _, rest = type_.partition(":")
    package = "pulumi" if type_.startswith("pulumi:") else package_of(type_)
    module, _, name = rest.rpartition(":")
    group = module.partition("/")[0]
    if package == "kubernetes":
        if re.fullmatch(r"v\d+((alpha|beta)\d+)?", group):
            group = "core"
        group = group.removesuffix(".k8s.io").removesuffix(".authorization") if "." in group else group
        name = name.removesuffix("Patch") or name
    elif package == "aws":
        name = name.removesuffix("V2") or name
    return f"{package}:{group}:{name}"


@dataclass(frozen=True, slots=True)
class ResourceFact(Fact):
    """A resource as a program declares it.

    `type` is Pulumi's token (`kubernetes:core/v1:Namespace`), `inputs` its inputs in the provider's own spelling
    (camelCase), with UNKNOWN wherever a value is not known. `cloud` and `region` say where it will be: of the resource
    itself if it says so, else of its provider, else of its stack. `jurisdiction` is the stack's, empty where it says
    none; `regime` the law that narrows it, empty for none. `tenant` is None for a region's own resources.
    `references` holds, for each input that was computed from other resources, their URNs: known where the program's
    graph is (`falaj check`, the engine, the pack's look at the whole stack), empty where it is not.
    """

    urn: str
    type: str
    name: str
    inputs: Mapping[str, object]
    cloud: str | Unknown
    region: str | Unknown
    jurisdiction: str
    tenant: str | None = None
    secret_paths: frozenset[str] = field(default_factory=frozenset)
    regime: str = ""
    references: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The type as rules name it: see `kind_of`."""
        return kind_of(self.type)


@dataclass(frozen=True, slots=True)
class StackFact(Fact):
    """A whole stack, for what one resource alone does not show: what must stand beside it, and where the stack is.

    `standby` is the (cloud, region) pair of the second site. `transfer_basis` is what a transfer out of a free zone
    rests on. `backend` is the URL of the state (`s3://bucket?region=me-central-1`), empty where it is not said;
    `encryption` the URL of its secrets provider (`awskms://...`, `passphrase`), empty likewise.
    """

    stack: str
    jurisdiction: str
    cloud: str | Unknown
    region: str | Unknown
    resources: tuple[ResourceFact, ...]
    tenant: str | None = None
    regime: str = ""
    transfer_basis: str = ""
    standby: tuple[str, str] | None = None
    backend: str = ""
    encryption: str = ""


@dataclass(frozen=True, slots=True)
class ProjectFact(Fact):
    """The files of a project that say what it is built from, by relative name, as text."""

    name: str
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FileFact(Fact):
    """A file of a model: relative POSIX name, bytes, hex SHA-256, and what its content was found to be."""

    name: str
    size: int
    sha256: str
    format: str


@dataclass(frozen=True, slots=True)
class StatementFact(Fact):
    """A signed statement after its signature was checked with the tenant's own public key.

    `key` is the key's name (`sign-alice`): who may use a key decides who signed, not what the statement claims.
    `verified` is whether the signature holds under that key; `problem` says why not. `subject` is the digest that the
    statement is about (`sha256:<hex>`); `model` and `version` what it names, empty if nothing. `exportable` is whether
    the private key could have left the vault, None where that is not known.
    """

    key: str
    verified: bool
    subject: str
    predicate_type: str
    problem: str = ""
    model: str = ""
    version: str = ""
    exportable: bool | None = None


@dataclass(frozen=True, slots=True)
class ModelFact(Fact):
    """A model as it was read, next to what it is said to be.

    `digest` was computed from the bytes at hand, `expected` is what the registry or the deployment names (empty before
    there is one). `signature` and `approval` are None when there is none.
    """

    name: str
    version: str
    digest: str
    files: tuple[FileFact, ...]
    expected: str = ""
    signature: StatementFact | None = None
    approval: StatementFact | None = None
