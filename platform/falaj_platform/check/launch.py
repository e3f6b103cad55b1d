"""The process that runs a project's programs, as the check sees it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from falaj_platform.check.confine import scrubbed
from falaj_platform.check.project import Stack, Target
from falaj_platform.errors import CheckError

__all__ = ["Runner", "plan", "refusal"]

_RULE: Final = re.compile(r"([A-Z][A-Z0-9]{1,9}-[0-9]{2,3}): ")
_OF_CONFIG: Final = re.compile(r"Pulumi\.[\w.-]+\.yaml(?:, line (\d+))?: (falaj:stack[\w.\[\]-]*): (.*)", re.DOTALL)


def plan(
    target: Target, wanted: Sequence[Stack], jurisdiction: str, regime: str, limit: float, *, verbose: bool = False
) -> dict[str, Any]:
    """What the process is told; the regions of wanted tenants are run too, for their outputs."""
    judged = {stack.name for stack in wanted}
    read = {stack.region for stack in wanted if stack.kind == "tenant"}
    files = {stack.name: str(stack.file) for stack in target.stacks if stack.kind == "region"}
    said = target.backend or os.environ.get("PULUMI_BACKEND_URL", "")
    return {
        "root": str(target.root),
        "main": str(target.main),
        "manifest": str(target.manifest),
        "project": target.name,
        "site_packages": str(target.site_packages or ""),
        "limit": limit,
        "verbose": verbose,
        "jobs": [
            {
                "root": str(target.root),
                "main": str(target.main),
                "verbose": verbose,
                "config_dir": str(target.config_dir),
                "stack": {
                    "name": stack.name,
                    "file": str(stack.file),
                    "config": dict(stack.config),
                    "encryption": stack.encryption,
                    "kind": stack.kind,
                },
                # A stack of Falaj's own has its state in the project, unless it says otherwise.
                "backend": said or ("file://" if stack.kind else ""),
                "jurisdiction": jurisdiction,
                "regime": regime,
                "judged": stack.name in judged,
                "region_file": files.get(stack.region, "") if stack.kind == "tenant" else "",
            }
            for stack in target.stacks
            if stack.name in judged or (stack.kind == "region" and stack.name in read)
        ],
    }


class Runner:
    """The process that runs the programs: it has no credentials, and ends with this one."""

    def __init__(self, target: Target, told: Mapping[str, Any], passed: Iterable[str] = ()) -> None:
        """`passed`: names of environment variables that the programs get besides what they need to run."""
        # Preparing, the regions, the tenants, and the proofs of where values come from.
        self._patience = told["limit"] * 4 + 60
        self._verbose = told["verbose"]
        self._home = tempfile.TemporaryDirectory(prefix="falaj-check-")
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "falaj_platform.check.runner"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=target.root,
            env=scrubbed(os.environ, self._home.name, passed),
        )
        assert self._process.stdin is not None
        # The plan is written at once, so that the programs run while this process does its own part.
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(told).encode())
            self._process.stdin.close()
        self._process.stdin = None

    def report(self) -> dict[str, Any]:
        """Raises CheckError: there is none."""
        try:
            answer, complaint = self._process.communicate(timeout=self._patience)
        except subprocess.TimeoutExpired:
            raise CheckError(f"the programs did not end within {self._patience:g} s, and were stopped") from None
        try:
            found: dict[str, Any] = json.loads(answer)
        except ValueError:
            # What it wrote may hold anything that a library of the project's writes.
            text = " ".join(complaint.decode(errors="replace").split())[-500:]
            why = f": {text}" if self._verbose and text else f" (exit {self._process.returncode})"
            raise CheckError(f"the programs could not be run{why}") from None
        if "error" in found:
            from falaj_platform.check.findings import plain_error

            raise CheckError(plain_error(found["error"]))
        return found

    def end(self) -> None:
        """End the process; the programs that it still runs end with it."""
        if self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        with suppress(OSError):
            self._home.cleanup()


def refusal(stack: Stack, root: Path, error: str) -> tuple[dict[str, Any] | None, str]:
    """What a program's error says of its configuration: a finding where it names a rule, and a line with the file."""
    from falaj_infra.stack_files import position

    match = _OF_CONFIG.fullmatch(error)
    if match is None:
        return None, error
    line, key, text = match.groups()
    file = stack.file.relative_to(root).as_posix() if stack.file.is_relative_to(root) else stack.file.name
    number = int(line) if line else position(stack.file, _keys(key))
    rule = _RULE.match(text)
    if rule is None:
        return None, f"{file}:{number}: {key}: {text}" if number else f"{file}: {key}: {text}"
    return {
        "rule": rule[1],
        "message": text[rule.end() :],
        "file": file,
        "line": number,
        "key": key,
        "subject": stack.name,
    }, ""


def _keys(key: str) -> list[str]:
    return ["falaj:stack", *filter(None, re.split(r"[.\[\]]", key.removeprefix("falaj:stack")))]
