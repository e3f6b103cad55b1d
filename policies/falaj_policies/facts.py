"""What rules judge: plain values, collected by whoever applies the rules (a gate, an engine, a replica)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

__all__ = ["UNKNOWN", "Fact", "FileFact", "ModelFact", "ResourceFact", "StatementFact", "Unknown"]


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


@dataclass(frozen=True, slots=True)
class ResourceFact(Fact):
    """A resource as a program declares it.

    `type` is Pulumi's token (`kubernetes:core/v1:Namespace`), `inputs` its inputs in the provider's own spelling
    (camelCase), with UNKNOWN wherever a value is not known. `cloud` and `region` say where it will be: of the resource
    itself if it says so, else of its provider, else of its stack. `jurisdiction` is the stack's. `tenant` is None for
    a region's own resources.
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
