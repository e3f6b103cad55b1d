"""What the library hands back: plain, frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from falaj.errors import ServiceError

__all__ = ["Deployment", "Evaluation", "ModelVersion", "SignedModel", "refused_rules"]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A run's metrics against bars: `results` maps a metric to (value or None, bar, passed)."""

    run_id: str
    results: Mapping[str, tuple[float | None, float, bool]]

    @property
    def passed(self) -> bool:
        return all(passed for _, _, passed in self.results.values())


@dataclass(frozen=True, slots=True)
class SignedModel:
    """A run's model, its digest (`sha256:<hex>`) and its author's signed statement (a DSSE envelope as JSON)."""

    run_id: str
    digest: str
    signature: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A version in the registry. `signature` and `approval` are DSSE envelopes as JSON, None when there is none."""

    name: str
    version: str
    digest: str
    run_id: str
    source: str
    signature: str | None = field(default=None, repr=False)
    approval: str | None = field(default=None, repr=False)

    @classmethod
    def from_mlflow(cls, data: Mapping[str, Any]) -> ModelVersion:
        """Raises ServiceError when the registry's answer has no name, version or run."""
        try:
            tags = {str(tag["key"]): str(tag.get("value") or "") for tag in data.get("tags") or ()}
            return cls(
                name=str(data["name"]),
                version=str(data["version"]),
                digest=tags.get("falaj.digest", ""),
                run_id=str(data.get("run_id") or ""),
                source=str(data.get("source") or ""),
                signature=tags.get("falaj.signature") or None,
                approval=tags.get("falaj.approval") or None,
            )
        except (KeyError, TypeError):
            raise ServiceError("the registry's answer is not a model version") from None


@dataclass(frozen=True, slots=True)
class Deployment:
    """What is served after a deployment; `changed` is False when it was already."""

    name: str
    version: str
    digest: str
    changed: bool


def refused_rules(refused: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(rule, message, remedy) of each finding in a replica's `refused`."""
    return [
        (str(item.get("rule", "")), str(item.get("message", "")), str(item.get("remedy", "")))
        for item in refused.get("findings") or ()
    ]
