"""Resources as Checkov knows them: Kubernetes manifests, a Terraform plan for AWS, ARM templates for Azure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from falaj_policies.facts import ResourceFact

__all__ = ["Converted", "Converter", "Unconvertible"]


class Unconvertible(Exception):
    """No table says what this type is to Checkov; `type` is Pulumi's token."""

    def __init__(self, type_: str) -> None:
        super().__init__(type_)
        self.type = type_


@dataclass(frozen=True, slots=True)
class Converted:
    """What one framework is given.

    `files` are texts by name; `resources` the facts by where Checkov will say that a check failed (a file, or an
    address); `unknown` the keys, in the framework's spelling, of what is not known, likewise; `path` turns a key that
    a check looked at into the path of an input.
    """

    files: Mapping[str, str]
    resources: Mapping[str, ResourceFact]
    path: Callable[[ResourceFact, str], str]
    unknown: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


Converter = Callable[[Sequence[ResourceFact]], Converted]
