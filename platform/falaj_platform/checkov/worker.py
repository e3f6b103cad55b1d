"""Checkov, in a process and an environment of its own: one JSON request on each line of stdin, one JSON answer to each.

Run by `.venv-checkov`'s Python; it imports nothing of Falaj. A request is

    {"frameworks": {"kubernetes": {"0.json": "...", ...}, "terraform_plan": {"plan.json": "..."}, "arm": {...}},
     "unknown": {"kubernetes/0.json": ["spec/replicas"], "terraform_plan/aws_s3_bucket.r0": ["bucket"]}}

and an answer

    {"seen": ["kubernetes/0.json", ...],
     "checks": [{"at": "kubernetes/0.json", "id": "CKV_K8S_16", "name": "...", "passed": false,
                 "keys": ["spec/containers/[0]/securityContext"], "undecided": false}]}

or {"error": "one line"}. `at` is the framework and, for Terraform, the resource's address, else its file. `unknown`
says which values (keys from the resource, without indices) the program does not know yet; a failed check that looked at
one of them is undecided. The first argument is a directory that only this process writes to; what a scan writes there
is gone before its answer. The process can neither open a connection nor start another process.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import itertools
import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

_RUNNERS = {
    "kubernetes": "checkov.kubernetes.runner",
    "terraform_plan": "checkov.terraform.plan_runner",
    "arm": "checkov.arm.runner",
}
# The registry of a framework's graph checks, where it is not called as the framework.
_GRAPHS = {"terraform_plan": "terraform"}
_SCANS = itertools.count()
_REFUSED = (
    "socket.connect",
    "socket.getaddrinfo",
    "socket.sendto",
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.fork",
)


def _offline(event: str, _args: tuple[Any, ...]) -> None:
    if event in _REFUSED or event.startswith("os.posix_spawn"):
        raise PermissionError(f"Checkov must work alone, and asked for {event}")


def prepare(scratch: str) -> None:
    """Import Checkov, set up to work alone."""
    # Read by Checkov when it is imported: no child processes, and plain JSON instead of YAML with line numbers.
    os.environ.update(
        CHECKOV_PARALLELIZATION_TYPE="none",
        CHECKOV_MAX_IAC_FILE_SIZE="0",
        EVAL_TF_PLAN_AFTER_UNKNOWN="true",
        LOG_LEVEL="CRITICAL",
        GIT_PYTHON_REFRESH="quiet",
    )
    # Checkov's parsers keep a cache, read as code, in the temporary directory: never in one that others write to.
    cache = Path(sys.prefix, "cache")
    with contextlib.suppress(OSError):
        cache.mkdir(mode=0o700, exist_ok=True)
    tempfile.tempdir = str(cache) if os.access(cache, os.W_OK) else scratch
    for module in _RUNNERS.values():
        importlib.import_module(module)


def names_of(key: str) -> tuple[str, ...]:
    """The names in a key, without indices: `spec/containers/[0]/image` is (spec, containers, image)."""
    return tuple(part for part in re.split(r"[/.]", re.sub(r"\[[^\]]*\]", "", key)) if part and not part.isdigit())


def is_undecided(keys: list[str], unknown: list[str], words: set[str]) -> bool:
    """Whether a failed check looked at a value that is not known: the value is, or holds, one of the keys that the
    check names; or lies below one of them (or the check names none), and the check's own text has its name."""
    looked = [names_of(key) for key in keys] or [()]
    for hidden in filter(None, map(names_of, unknown)):
        for key in looked:
            if key and key[: len(hidden)] == hidden:
                return True
            if hidden[: len(key)] == key and hidden[-1] in words:
                return True
    return False


def _words(record: Any, framework: str) -> set[str]:
    """What the check's own text names, for checks that do not say which keys they looked at."""
    if record.check_class.startswith("checkov.common."):
        from checkov.common.checks_infra.registry import get_graph_checks_registry

        registry = get_graph_checks_registry(_GRAPHS.get(framework, framework))
        found = next((check for check in registry.checks if check.id == record.check_id), None)
        text = " ".join(_attributes(found)) if found is not None else ""
    else:
        module = sys.modules.get(record.check_class)
        text = inspect.getsource(module) if module is not None else ""
    return set(re.findall(r"\w+", text))


def _attributes(check: Any) -> list[str]:
    found = [str(check.attribute or "")]
    for part in check.sub_checks or []:
        found += _attributes(part)
    return found


def _keys(record: Any) -> list[str]:
    found = []
    for key in record.check_result.get("evaluated_keys") or []:
        found += [str(part) for part in key] if isinstance(key, list) else [str(key)]
    # Graph checks name what they select resources by.
    return [key for key in found if key and key not in ("resource_type", "resourceType")]


def _scan(
    framework: str, files: dict[str, str], unknown: dict[str, list[str]], scratch: str
) -> tuple[list[str], list[dict[str, Any]]]:
    from checkov.runner_filter import RunnerFilter

    root = tempfile.mkdtemp(dir=scratch)
    try:
        # Some of Checkov's caches live as long as the process and go by a file's path: each scan has its own.
        folder = Path(root, f"scan{next(_SCANS)}")
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        runner = importlib.import_module(_RUNNERS[framework]).Runner()
        reports = runner.run(
            root_folder=root,
            runner_filter=RunnerFilter(framework=[framework], excluded_paths=[], show_progress_bar=False),
            collect_skip_comments=False,
        )
    finally:
        shutil.rmtree(root)
    report = reports[0] if isinstance(reports, list) else reports
    if report.parsing_errors:
        raise ValueError(f"{framework}: not read: {', '.join(Path(name).name for name in report.parsing_errors)}")
    if framework == "terraform_plan":
        seen = [f"{framework}/{name.rsplit(':', 1)[1]}" for name in report.resources]
    else:
        seen = [f"{framework}/{Path(name).name}" for name, content in runner.definitions.items() if content]
    checks = []
    subjects = {}
    if framework == "arm":
        for name, content in runner.definitions.items():
            first = content["resources"][0]
            subjects[Path(name).name] = f"{first['type']}.{first['name']}"
    for record in [*report.passed_checks, *report.failed_checks, *report.skipped_checks]:
        # A template's first resource is its subject; those within it are judged in their own.
        if framework == "arm" and record.resource != subjects[Path(record.file_path).name]:
            continue
        where = record.resource if framework == "terraform_plan" else Path(record.file_path).name
        at = f"{framework}/{where}"
        passed = record.check_result["result"].value == "PASSED"
        keys = _keys(record)
        hidden = unknown.get(at, [])
        undecided = bool(hidden) and not passed and is_undecided(keys, hidden, _words(record, framework))
        checks.append(
            {
                "at": at,
                "id": record.check_id,
                "name": record.check_name,
                "passed": passed,
                "keys": keys,
                "undecided": undecided,
            }
        )
    return seen, checks


def answer(line: str, scratch: str) -> dict[str, Any]:
    """What one request is answered with."""
    try:
        request = json.loads(line)
        seen, checks = [], []
        for framework, files in request["frameworks"].items():
            more = _scan(framework, files, request.get("unknown", {}), scratch)
            seen += more[0]
            checks += more[1]
    except Exception as error:  # noqa: BLE001  # a check may raise anything on an input that it did not expect
        return {"error": _reason(error)}
    return {"seen": seen, "checks": checks}


def _reason(error: Exception) -> str:
    """The error in one line, with the check that raised it; values stay out."""
    check = ""
    trace = error.__traceback__
    while trace is not None:
        this = trace.tb_frame.f_locals.get("self")
        if this is not None and isinstance(getattr(this, "id", None), str) and hasattr(this, "entity_path"):
            check = f"{this.id} on {Path(str(this.entity_path)).name}: "
        trace = trace.tb_next
    text = str(error) if isinstance(error, (PermissionError, ValueError)) and not check else type(error).__name__
    return f"{check}{text}".splitlines()[0]


def main() -> None:
    # What Checkov prints must not stand between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    scratch = sys.argv[1]
    prepare(scratch)
    sys.addaudithook(_offline)
    for line in sys.stdin:
        answers.write(json.dumps(answer(line, scratch)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
