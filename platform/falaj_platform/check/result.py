"""What a check found, for people and machines alike."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

__all__ = ["CheckFinding", "CheckResult", "CheckedStack", "Source"]

Source = Literal["rules", "checkov", "secrets", "waivers"]
_RANK = {"critical": 0, "high": 1, "medium": 2, "low": 3}


@dataclass(frozen=True, slots=True)
class CheckFinding:
    """One thing that is wrong, what to do about it, and where it is written.

    `subject` is the resource's URN, or a stack, a project or a file. `path` is the input at fault. `clauses` are
    references to frameworks, with `?` where they are from memory. `file` is relative to
    the project, `line` counts from 1 (0: the whole file), `key` is the path in the stack file where the value comes
    from. `check_id` is Checkov's, empty for all else. `waived` is the reason of the waiver, empty where there is none.
    """

    rule: str
    title: str
    severity: str
    subject: str
    message: str
    remedy: str
    path: str = ""
    clauses: tuple[str, ...] = ()
    source: Source = "rules"
    check_id: str = ""
    stack: str = ""
    file: str = ""
    line: int = 0
    key: str = ""
    undecided: bool = False
    advisory: bool = False
    waived: str = ""

    @property
    def denies(self) -> bool:
        return not (self.undecided or self.advisory or self.waived)

    @property
    def where(self) -> str:
        """`file:line`, as editors take it."""
        return f"{self.file}:{self.line}" if self.line else self.file

    @property
    def order(self) -> tuple[str, bool, int, str, str, str]:
        """What denies first, then by severity."""
        return (self.stack, not self.denies, _RANK.get(self.severity, 0), self.rule, self.subject, self.path)


@dataclass(frozen=True, slots=True)
class CheckedStack:
    """A stack as it was judged: where it is, by its configuration, and how many resources its program declared.

    `judged` is False where the configuration itself breaks a rule, so that the program did not run.
    """

    name: str
    file: str
    cloud: str
    region: str
    jurisdiction: str
    regime: str = ""
    tenant: str = ""
    resources: int = 0
    judged: bool = True


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Everything one check saw.

    `rules` are the ids that were applied. `left_out` says what was not looked at, and why: it belongs in every output.
    `notes` says what is not proven. `prefix` is the project's folder in its repository, `""` where it is the root.
    """

    project: str
    stacks: tuple[CheckedStack, ...]
    findings: tuple[CheckFinding, ...]
    rules: tuple[str, ...]
    rule_set_version: str
    seconds: float
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    prefix: str = ""
    files: int = 0

    @property
    def denied(self) -> tuple[CheckFinding, ...]:
        return tuple(finding for finding in self.findings if finding.denies)

    @property
    def undecided(self) -> tuple[CheckFinding, ...]:
        return tuple(finding for finding in self.findings if finding.undecided and not finding.waived)

    @property
    def waived(self) -> tuple[CheckFinding, ...]:
        return tuple(finding for finding in self.findings if finding.waived)

    @property
    def advisory(self) -> tuple[CheckFinding, ...]:
        return tuple(
            finding for finding in self.findings if finding.advisory and not (finding.undecided or finding.waived)
        )

    @property
    def counts(self) -> dict[str, int]:
        """Denying findings by severity, and the others by what they are."""
        severities = Counter(finding.severity for finding in self.denied)
        return {
            **{severity: severities[severity] for severity in _RANK},
            "denied": len(self.denied),
            "undecided": len(self.undecided),
            "advisory": len(self.advisory),
            "waived": len(self.waived),
            "resources": sum(stack.resources for stack in self.stacks),
        }

    @property
    def exit_code(self) -> int:
        return 1 if self.denied else 0
