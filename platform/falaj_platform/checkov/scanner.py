"""Checkov's process: started early, asked once or more, ended with the block."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from falaj_platform.checkov import severities, worker
from falaj_platform.checkov.convert import Converted, Converter, Unconvertible, arm, kubernetes, terraform
from falaj_platform.checkov.severities import Disposition
from falaj_platform.errors import CheckovError, CheckovMissingError, CheckovTypeError
from falaj_policies.facts import ResourceFact
from falaj_policies.model import Severity

__all__ = ["CheckovFinding", "Scanner"]

ENVIRONMENT: Final = ".venv-checkov"
# Package of the resource types, Checkov's framework, and what turns one into the other.
_CONVERTERS: Final[Mapping[str, tuple[str, Converter]]] = {
    "aws": ("terraform_plan", terraform.convert),
    "azure-native": ("arm", arm.convert),
    "kubernetes": ("kubernetes", kubernetes.convert),
}
# Packages whose resources Checkov could judge if a table said what they are: silence about them would be a pass.
_CLOUDS: Final = frozenset(
    {
        "alicloud",
        "aws",
        "aws-native",
        "azure",
        "azure-native",
        "digitalocean",
        "gcp",
        "google-native",
        "ibm",
        "kubernetes",
        "linode",
        "ncloud",
        "oci",
        "openstack",
        "tencentcloud",
        "yandex",
    }
)


@dataclass(frozen=True, slots=True)
class CheckovFinding:
    """A check that failed. `rule` is Falaj's (the check's own id where nobody reviewed it), `path` the input looked at.

    `undecided`: it failed on a value that is not known yet. `advisory`: the table says that it does not deny.
    """

    check_id: str
    name: str
    rule: str
    severity: Severity
    urn: str
    path: str = ""
    undecided: bool = False
    advisory: bool = False


class Scanner:
    """Checkov in its own environment (`.venv-checkov` beside the one that runs).

    `timeout_s` bounds one scan, the process's start included. All methods raise CheckovError (exit code 2): the
    environment is missing, a type is in no table, Checkov failed or did not end.
    """

    def __init__(self, python: Path | None = None, *, timeout_s: float = 120.0) -> None:
        self._python = python or Path(sys.prefix).parent / ENVIRONMENT / "bin" / "python"
        self._timeout_s = timeout_s
        self._process: subprocess.Popen[str] | None = None
        self._scratch: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start the process, which then imports Checkov while the caller goes on. Does nothing if it was started."""
        if self._process is not None:
            return
        # Only this user reads it, and it goes with the process, however that ends.
        self._scratch = tempfile.TemporaryDirectory(prefix="falaj-checkov-")
        try:
            # -I: neither the caller's directory nor its environment variables reach Checkov's imports.
            self._process = subprocess.Popen(
                [str(self._python), "-I", worker.__file__, self._scratch.name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="utf-8",
                env={"PATH": os.defpath},
            )
        except OSError:
            self._scratch.cleanup()
            raise CheckovMissingError(
                f"Checkov is not installed ({ENVIRONMENT} is missing or broken): run .ci/setup, or check without it: "
                "--without checkov"
            ) from None

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            process, self._process = self._process, None
            process.kill()
            process.communicate()
        if self._scratch is not None:
            scratch, self._scratch = self._scratch, None
            scratch.cleanup()

    def scan(self, facts: Sequence[ResourceFact]) -> tuple[CheckovFinding, ...]:
        """Judge these resources together (graph checks look at several), in the order of the facts.

        Components are to be left out: what they hold are resources of their own. Checks that the table does not apply
        are left out; those that passed as well.
        """
        converted = _convert(facts)
        frameworks = {name: item for name, item in converted.items() if item.files}
        if not frameworks:
            return ()
        answer = self._ask(
            {
                "frameworks": {name: dict(item.files) for name, item in frameworks.items()},
                "unknown": {
                    f"{name}/{at}": list(keys) for name, item in frameworks.items() for at, keys in item.unknown.items()
                },
            }
        )
        known = {
            f"{name}/{at}": (item, fact) for name, item in frameworks.items() for at, fact in item.resources.items()
        }
        unseen = known.keys() - set(answer["seen"])
        if unseen:
            raise CheckovError(f"Checkov did not read {known[min(unseen)][1].urn}: check without it: --without checkov")
        order = {fact.urn: number for number, fact in enumerate(facts)}
        found = dict.fromkeys(
            _finding(known[check["at"]], check)
            for check in answer["checks"]
            if not check["passed"] and severities.meaning(check["id"]).disposition is not Disposition.NOT_APPLIED
        )
        return tuple(sorted(found, key=lambda finding: (order[finding.urn], finding.check_id, finding.path)))

    def _ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self.start()
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        watchdog = threading.Timer(self._timeout_s, process.kill)
        watchdog.start()
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError:
            line = ""
        finally:
            timely = watchdog.is_alive()
            watchdog.cancel()
        if not line:
            self.close()
            raise CheckovError(
                "Checkov ended without an answer: run .ci/setup again, or check without it: --without checkov"
                if timely
                else f"Checkov took more than {self._timeout_s:.0f} s: check without it: --without checkov"
            )
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise CheckovError(f"Checkov failed: {answer['error']}: check without it: --without checkov")
        return answer


def _convert(facts: Sequence[ResourceFact]) -> dict[str, Converted]:
    """What each framework is given."""
    of: dict[str, list[ResourceFact]] = {}
    for fact in facts:
        package = fact.type.partition(":")[0]
        if package in _CONVERTERS:
            of.setdefault(package, []).append(fact)
        elif package in _CLOUDS:
            raise _unknown_type(fact.type)
    try:
        return {_CONVERTERS[package][0]: _CONVERTERS[package][1](these) for package, these in of.items()}
    except Unconvertible as error:
        raise _unknown_type(error.type) from None


def _unknown_type(type_: str) -> CheckovTypeError:
    return CheckovTypeError(
        f"Checkov cannot check {type_}: no table says what it is to Checkov; add it to "
        "platform/falaj_platform/checkov/convert, or check without Checkov: --without checkov"
    )


def _finding(known: tuple[Converted, ResourceFact], check: Mapping[str, Any]) -> CheckovFinding:
    converted, fact = known
    means = severities.meaning(check["id"])
    return CheckovFinding(
        check_id=check["id"],
        name=check["name"],
        rule=means.rule,
        severity=means.severity,
        urn=fact.urn,
        # The most exact of the keys that the check looked at.
        path=converted.path(fact, max(check["keys"], key=lambda key: key.count("/"))) if check["keys"] else "",
        undecided=check["undecided"],
        advisory=means.disposition is Disposition.ADVISORY,
    )
