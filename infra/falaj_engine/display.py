"""What a person sees while an operation runs (standard error), and the forms for machines."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from typing import Any, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from falaj_engine import state as states
from falaj_engine import urn as urns
from falaj_engine.diff import show_path
from falaj_engine.events import Step, Timer
from falaj_engine.state import ResourceState
from falaj_engine.values import mask
from falaj_engine.workspace import Result

_SIGNS = {
    "create": "+",
    "update": "~",
    "replace": "+-",
    "delete": "-",
    "same": " ",
    "read": ">",
    "refresh": "~",
    "discard": "-",
    "refuse": "!",
}
_STYLES = {"create": "green", "update": "yellow", "replace": "magenta", "delete": "red", "read": "cyan"}
_PAST = {
    "create": "created",
    "update": "updated",
    "replace": "replaced",
    "delete": "deleted",
    "same": "unchanged",
    "read": "read",
}
_FUTURE = {
    "create": "to create",
    "update": "to update",
    "replace": "to replace",
    "delete": "to delete",
    "same": "unchanged",
}
_UNSHOWN = ("discard", "refuse")
_ROWS = 12


class Progress:
    """Prints a line per changed resource; below them, on a terminal, what is being worked on and why it waits."""

    def __init__(self, *, preview: bool, stream: TextIO | None = None) -> None:
        self._console = Console(file=stream or sys.stderr, highlight=False)
        self._preview = preview
        self._timer = Timer()
        self._lock = threading.Lock()
        self._running: dict[str, tuple[Step, Timer, str]] = {}
        self._told: dict[str, str] = {}
        self._done = 0
        self._live: Live | None = None

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._live = Live(console=self._console, get_renderable=self._render, refresh_per_second=8, transient=True)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def started(self, step: Step) -> None:
        with self._lock:
            self._running[step.urn] = (step, Timer(), "")

    def status(self, urn: str, text: str) -> None:
        with self._lock:
            entry = self._running.get(urn)
            if entry is not None:
                self._running[urn] = (entry[0], entry[1], text)
        if self._live is None and self._told.get(urn) != text:
            # Without a live display each new reason is a line of its own, so that a log shows what was waited for.
            self._told[urn] = text
            self._console.print(Text(f"   {urns.short(urn)}: {text}", style="dim"))

    def finished(self, step: Step, seconds: float) -> None:
        with self._lock:
            self._running.pop(step.urn, None)
            self._done += 1
        if step.op in ("same", "discard") or (step.op == "refresh"):
            return
        paths = (
            f" [{', '.join(sorted({show_path(path) for path in step.paths})[:6])}]"
            if step.op in ("update", "replace")
            else ""
        )
        took = f" {seconds:.1f} s" if not self._preview and seconds >= 1 else ""
        self._line(step, f"{paths if step.paths else ''}{took}")

    def failed(self, step: Step, message: str, seconds: float) -> None:
        with self._lock:
            self._running.pop(step.urn, None)
        self._line(step, " refused" if step.op == "refuse" else " failed", style="bold red")

    def message(self, severity: str, text: str, urn: str = "") -> None:
        where = f"{urns.short(urn)}: " if urn else ""
        style = {"warning": "yellow", "error": "red"}.get(severity, "dim")
        self._console.print(Text(f"{severity}: {where}{text}", style=style))

    def _line(self, step: Step, rest: str, style: str | None = None) -> None:
        text = Text(f"{_SIGNS.get(step.op, ' '):>2} ", style=style or _STYLES.get(step.op, ""))
        text.append(f"{urns.type_of(step.urn)} ")
        text.append(urns.name_of(step.urn), style="bold")
        text.append(rest, style="dim" if style is None else style)
        self._console.print(text)

    def _render(self) -> Group:
        with self._lock:
            running = list(self._running.values())
            done = self._done
        rows = [Text(f"   {done} done, {len(running)} running, {self._timer.seconds:.0f} s", style="dim")]
        for step, timer, reason in sorted(running, key=lambda entry: -entry[1].seconds)[:_ROWS]:
            row = Text(f"{_SIGNS.get(step.op, ' '):>2} {urns.type_of(step.urn)} ", style="dim")
            row.append(urns.name_of(step.urn))
            row.append(f" {timer.seconds:.0f} s" + (f" {reason}" if reason else ""), style="dim")
            rows.append(row)
        return Group(*rows)


def summary(result: Result) -> str:
    """One line: how many of what, and how long."""
    words = _FUTURE if result.operation == "preview" else _PAST
    parts = [f"{result.counts[op]} {words[op]}" for op in _PAST if result.counts.get(op) and op in words]
    what = ", ".join(parts) or "nothing to do"
    if result.ok and not result.changes:
        what = f"nothing to change{f' ({what})' if parts else ''}"
    return f"{result.stack}: {what} in {result.seconds:.1f} s"


def outputs_lines(outputs: Mapping[str, Any]) -> list[str]:
    """Outputs for people, secrets masked."""
    shown = mask(outputs)
    width = max((len(key) for key in shown), default=0)
    return [f"   {key:<{width}}  {_brief(shown[key])}" for key in sorted(shown)]


def _brief(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{len(value)} keys: {', '.join(sorted(value))[:60]}}}"
    text = str(value)
    return text if len(text) <= 100 else f"{text[:97]}..."


def digest(result: Result, config: Mapping[str, str]) -> dict[str, Any]:
    """Pulumi's preview digest (`pulumi preview --json`). config: values by key, secrets masked."""
    document: dict[str, Any] = {
        "config": dict(config),
        "steps": [_digest_step(step) for step in result.steps if not step.hidden and step.op not in _UNSHOWN],
        "duration": int(result.seconds * 1e9),
        "changeSummary": dict(result.counts),
    }
    diagnostics = [{"severity": severity, "message": text, "urn": urn} for severity, text, urn in result.messages]
    shown = [{"severity": "error", "message": message, "urn": step.urn} for step, message in result.failures]
    if result.error is not None and str(result.error) not in {item["message"] for item in shown}:
        shown.append({"severity": "error", "message": str(result.error), "urn": ""})
    diagnostics += shown
    if diagnostics:
        document["diagnostics"] = diagnostics
    return document


def _digest_step(step: Step) -> dict[str, Any]:
    entry: dict[str, Any] = {"op": step.op, "urn": step.urn}
    provider = (step.new or step.old).provider if step.new or step.old else ""  # type: ignore[union-attr]
    if provider:
        entry["provider"] = provider
    for key, state in (("oldState", step.old), ("newState", step.new)):
        if state is not None:
            entry[key] = _masked(state)
    if step.paths and step.op in ("update", "replace"):
        entry["diffReasons"] = sorted({str(path[0]) for path in step.paths})
        entry["detailedDiff"] = {show_path(path): {"kind": _kind(step, path), "inputDiff": True} for path in step.paths}
    if step.replaces:
        entry["replaceReasons"] = sorted({str(path[0]) for path in step.replaces})
    return entry


def _kind(step: Step, path: tuple[str | int, ...]) -> str:
    suffix = "-replace" if path in step.replaces else ""
    before, after = (_has(state.inputs, path) if state else False for state in (step.old, step.new))
    return ("update" if before and after else "add" if after else "delete") + suffix


def _has(value: Any, path: tuple[str | int, ...]) -> bool:
    for part in path:
        value = getattr(value, "value", value)
        inside = part in value if isinstance(value, dict) else isinstance(value, list) and part in range(len(value))
        if not inside:
            return False
        value = value[part]
    return True


def _masked(state: ResourceState) -> dict[str, Any]:
    entry = states.entry_of(state)
    entry["inputs"], entry["outputs"] = mask(state.inputs), mask(state.outputs)
    return {key: value for key, value in entry.items() if value not in ({}, [])}


def result_json(result: Result) -> dict[str, Any]:
    """The outcome of an operation that changed something."""
    return {
        "operation": result.operation,
        "stack": result.stack,
        "ok": result.ok,
        "error": None if result.error is None else str(result.error),
        "changeSummary": dict(result.counts),
        "failures": [{"urn": step.urn, "op": step.op, "message": message} for step, message in result.failures],
        "outputs": mask(result.outputs),
        "seconds": round(result.seconds, 3),
    }
