"""Everything Falaj's runtime raises.

FalajError                  one clear line: what happened, where, and what to do
├── UsageError              wrong arguments, or something named that does not exist
├── NotLoggedIn             no usable token: run `falaj login`
├── ConnectionDocumentError the tenant's connection document is missing, malformed or too new
├── ServiceError            a service of the tenant answered with an error
│   ├── Unreachable         it did not answer at all
│   ├── Forbidden           it knows the caller and refuses
│   ├── NotFound            it has no such thing
│   └── TooLarge            it sent more than is taken from it
├── ModelProblem            a model's files that are not taken, whoever sends them; `.rule` says by which rule
├── TrainingFailed          the training job ended without success
├── StatementError          a signature or approval that cannot be read or does not verify
├── GateRefused             the compliance gate refused; `.findings` says by which rules
└── AuditLogError           the audit log is broken, or a record was refused

`exit_code` is the command line's: 1 the work failed or was refused, 2 it could not run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from falaj_policies import Finding

__all__ = [
    "AuditLogError",
    "ConnectionDocumentError",
    "FalajError",
    "Forbidden",
    "GateRefused",
    "ModelProblem",
    "NotFound",
    "NotLoggedIn",
    "ServiceError",
    "StatementError",
    "TooLarge",
    "TrainingFailed",
    "Unreachable",
    "UsageError",
]


class FalajError(Exception):
    """The root; its text is one line fit for a user."""

    exit_code = 1


class UsageError(FalajError):
    exit_code = 2


class NotLoggedIn(FalajError):
    exit_code = 2


class ConnectionDocumentError(FalajError):
    exit_code = 2


class ServiceError(FalajError):
    """`status` is the HTTP status, 0 when there was no answer; `code` the service's own name for the error, if any."""

    def __init__(self, message: str, *, status: int = 0, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Unreachable(ServiceError):
    exit_code = 2


class Forbidden(ServiceError):
    pass


class NotFound(ServiceError):
    pass


class TooLarge(ServiceError):
    pass


class ModelProblem(FalajError):
    """Asking again is useless: it is the files that are wrong."""

    def __init__(self, message: str, *, rule: str) -> None:
        super().__init__(message)
        self.rule = rule


class TrainingFailed(FalajError):
    pass


class StatementError(FalajError):
    pass


class GateRefused(FalajError):
    """The gate's findings, most severe first; at least one."""

    def __init__(self, findings: Sequence[Finding], *, where: str = "gate") -> None:
        self.findings = tuple(findings)
        self.where = where
        super().__init__(f"refused by the {where}: " + "; ".join(f"{f.rule}: {f.message}" for f in self.findings))

    @property
    def rules(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(f.rule for f in self.findings))


class AuditLogError(FalajError):
    pass
