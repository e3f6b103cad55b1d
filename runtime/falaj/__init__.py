"""Train, sign, approve and deploy models on a Falaj tenant.

    import falaj
    tenant = falaj.connect()
    run = tenant.train("train.py", data=["hmda.csv"])

Importing this loads nothing heavy: each name is looked up when it is first used.
"""

from __future__ import annotations

# Type checkers take this as true; importing `typing` for it would double the time this module takes.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from falaj.connection import Connection
    from falaj.errors import FalajError, GateRefused
    from falaj.inside import Job, job
    from falaj.models import Deployment, Evaluation, ModelVersion, SignedModel
    from falaj.tenant import Tenant, connect
    from falaj.training import Run

__version__ = "0.1.0"

__all__ = [
    "Connection",
    "Deployment",
    "Evaluation",
    "FalajError",
    "GateRefused",
    "Job",
    "ModelVersion",
    "Run",
    "SignedModel",
    "Tenant",
    "__version__",
    "connect",
    "job",
]

_HOMES = {
    "Connection": "falaj.connection",
    "Deployment": "falaj.models",
    "Evaluation": "falaj.models",
    "FalajError": "falaj.errors",
    "GateRefused": "falaj.errors",
    "Job": "falaj.inside",
    "ModelVersion": "falaj.models",
    "Run": "falaj.training",
    "SignedModel": "falaj.models",
    "Tenant": "falaj.tenant",
    "connect": "falaj.tenant",
    "job": "falaj.inside",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'falaj' has no attribute {name!r}")
    import importlib

    value = globals()[name] = getattr(importlib.import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
