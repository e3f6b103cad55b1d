"""The comment that a pipeline writes on a pull request: URNs, operations, rule ids and places, never a value.

It is made of what `falaj check --json` and `falaj preview --json` say, and of nothing in them but those four, and
what a check left out and notes in Falaj's own words. Messages, inputs, outputs, configuration and diagnostics may hold
what a team's secrets are made of, and a comment is read by more people than a state. What is shown of them is made
harmless: no Markdown, no HTML, no mention of a person.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from falaj_platform.errors import CommentError

__all__ = ["LIMIT", "MARKER", "Change", "Check", "Preview", "Problem", "markdown", "read_check", "read_preview"]

# By this line a pipeline finds the comment that it wrote before.
MARKER: Final = "<!-- falaj -->"
# Bytes of a comment. GitHub takes 65,536 characters; the rest is for the notes below the tables.
LIMIT: Final = 60_000

_CELL: Final = 300
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,39}")
# A rule's id, or a check's: Checkov's `CKV_AWS_1`, the name of a detector of secrets.
_ID: Final = re.compile(r"[A-Za-z][A-Za-z0-9_. ()/-]{0,79}")
_URN: Final = re.compile(r"urn:pulumi:([^:]+)::")
_HARMLESS: Final = str.maketrans({"`": "'", "|": "¦"})
_VERDICTS: Final = ("undecided", "advisory", "waived")
_UNCHANGED: Final = frozenset({"same", "read", "refresh"})


@dataclass(frozen=True, slots=True)
class Change:
    """One step of a preview: the stack by its URN, the operation in Pulumi's word."""

    stack: str
    op: str
    urn: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What an `up` would do. `counts` are by operation; the Pulumi CLI gives them and no steps."""

    changes: tuple[Change, ...]
    counts: Mapping[str, int]
    errors: int

    @property
    def changed(self) -> bool:
        """Whether there is anything to do, or that is not known."""
        return bool(self.errors or self.changes or any(n for op, n in self.counts.items() if op not in _UNCHANGED))


@dataclass(frozen=True, slots=True)
class Problem:
    """A finding of a check. `verdict` is denies, undecided, advisory or waived; `where` is `file:line`."""

    rule: str
    check_id: str
    subject: str
    where: str
    stack: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Check:
    """A check: its findings, what was not looked at, and what is not proven, in Falaj's own words."""

    problems: tuple[Problem, ...]
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_check(document: object) -> Check:
    """What is in the JSON of `falaj check`. Raises CommentError: it is something else, or contradicts itself."""
    if not isinstance(document, Mapping) or not isinstance(document.get("findings"), list):
        raise CommentError("the check's report has no list of findings: it must be the output of falaj check")
    problems = tuple(_problem(item) for item in document["findings"])
    ok, counts = document.get("ok"), document.get("counts")
    if not isinstance(ok, bool) or not isinstance(counts, Mapping):
        raise CommentError("the check's report does not say ok and counts: it must be the output of falaj check")
    found = Counter(problem.verdict for problem in problems)
    said = {"denied": found["denies"], **{verdict: found[verdict] for verdict in _VERDICTS}}
    if ok is bool(found["denies"]) or any(counts.get(name) != number for name, number in said.items()):
        raise CommentError("the check's report contradicts itself: verdict and counts are not those of its findings")
    return Check(problems, _texts(document, "left_out"), _texts(document, "notes"))


def _texts(document: Mapping[str, Any], key: str) -> tuple[str, ...]:
    texts = document.get(key)
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise CommentError(f"the check's report has no list of texts as {key}: it must be the output of falaj check")
    return tuple(texts)


def _problem(item: object) -> Problem:
    if not isinstance(item, Mapping):
        raise CommentError("the check's report has a finding that is no object")
    line = item.get("line")
    where = _text(item, "file")
    if isinstance(line, int) and not isinstance(line, bool) and line > 0 and where:
        where = f"{where}:{line}"
    verdicts = [verdict for verdict in ("waived", "undecided", "advisory") if item.get(verdict)]
    if "denies" in item and item["denies"] is not (not verdicts):
        raise CommentError("the check's report contradicts itself: a finding denies and does not")
    check_id = item.get("check_id") or ""
    return Problem(
        rule=_word(item, "rule", _ID),
        check_id=_word(item, "check_id", _ID) if check_id else "",
        subject=_text(item, "subject"),
        where=where,
        stack=_text(item, "stack"),
        verdict=verdicts[0] if verdicts else "denies",
    )


def read_preview(document: object) -> Preview:
    """What is in the JSON of `falaj preview`. Raises CommentError: it is something else."""
    counts = document.get("changeSummary") if isinstance(document, Mapping) else None
    steps = document.get("steps", []) if isinstance(document, Mapping) else None
    if not isinstance(document, Mapping) or not isinstance(counts, Mapping) or not isinstance(steps, list):
        raise CommentError("the preview has no changeSummary: it must be the output of falaj preview --json")
    shown: dict[str, int] = {}
    for op, count in counts.items():
        if not isinstance(op, str) or not _WORD.fullmatch(op) or not isinstance(count, int):
            raise CommentError("the preview's changeSummary is not a number for each operation")
        shown[op] = count
    diagnostics = document.get("diagnostics", [])
    if not isinstance(diagnostics, list):
        raise CommentError("the preview's diagnostics are no list")
    errors = [item for item in diagnostics if isinstance(item, Mapping) and item.get("severity") == "error"]
    changes = tuple(_change(step) for step in steps)
    return Preview(tuple(change for change in changes if change.op not in _UNCHANGED), shown, len(errors))


def _change(step: object) -> Change:
    if not isinstance(step, Mapping):
        raise CommentError("the preview has a step that is no object")
    urn = _text(step, "urn")
    stack = _URN.match(urn)
    if stack is None:
        raise CommentError("the preview has a step without a URN")
    return Change(stack=stack.group(1), op=_word(step, "op", _WORD), urn=urn)


def _text(item: Mapping[str, Any], key: str) -> str:
    value = item.get(key, "")
    if not isinstance(value, str):
        raise CommentError(f"a report has something else than a text as {key}")
    return value


def _word(item: Mapping[str, Any], key: str, form: re.Pattern[str]) -> str:
    value = _text(item, key)
    if not form.fullmatch(value):
        raise CommentError(f"a report has no usable {key}")
    return value


def markdown(check: Check | None, previews: Sequence[Preview], *, limit: int = LIMIT) -> str:
    """The comment, at most `limit` bytes of UTF-8: what does not fit is counted at the end, findings go first.

    `check` is None where none was made, which the comment then says.
    """
    problems = check.problems if check else ()
    head = [MARKER, "## Falaj", "", _verdict(check), *_bounds(check, limit // 4), *_totals(previews)]
    findings = [_row(_rule(p), p.subject or p.stack, p.where, p.verdict) for p in sorted(problems, key=_order)]
    changes = [_row(c.stack, c.op, c.urn) for preview in previews for c in preview.changes]
    sections = (
        # A rule may object to several inputs of one resource: which ones is in the job's output.
        (("rule", "resource", "where", "verdict"), list(dict.fromkeys(findings))),
        (("stack", "operation", "resource"), changes),
    )
    foot = "Values are left out on purpose: they are in the job's output, as far as they are no secrets."
    room = limit - sum(len(line.encode()) + 1 for line in [*head, foot]) - 300
    lines = head
    for columns, rows in sections:
        if not rows:
            continue
        heading = ["", _row(*columns, code=False), "|" + " --- |" * len(columns)]
        room -= sum(len(line.encode()) + 1 for line in heading)
        kept = list(_fitting(rows, room))
        room -= sum(len(row.encode()) + 1 for row in kept)
        lines += [*heading, *kept]
        if len(kept) < len(rows):
            lines += ["", f"{len(rows) - len(kept)} more rows do not fit: they are in the job's output."]
    return "\n".join([*lines, "", foot]) + "\n"


def _verdict(check: Check | None) -> str:
    if check is None:
        return "**Not checked:** this comment is about a preview alone."
    counts = Counter(problem.verdict for problem in check.problems)
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in _VERDICTS if counts[verdict])
    passed = "**Passed in part:** no finding denies" if check.left_out else "**Passed:** no finding denies"
    verdict = f"**Refused:** {counts['denies']} findings deny" if counts["denies"] else passed
    return f"{verdict}{f' ({said})' if said else ''}."


def _bounds(check: Check | None, room: int) -> Iterator[str]:
    """What the verdict is not about."""
    if check is None or not (check.left_out or check.notes):
        return
    lines = [f"- Left out: {_code(text)}" for text in check.left_out]
    lines += [f"- Note: {_code(text)}" for text in check.notes]
    kept = list(_fitting(lines, room))
    yield from ("", *kept)
    if len(kept) < len(lines):
        yield f"- {len(lines) - len(kept)} more are in the job's output."


def _totals(previews: Iterable[Preview]) -> Iterator[str]:
    for number, preview in enumerate(previews, 1):
        stacks = sorted({change.stack for change in preview.changes})
        counts = ", ".join(f"{count} {op}" for op, count in sorted(preview.counts.items()) if count) or "nothing to do"
        name = _code(", ".join(stacks)) if stacks else f"{number}"
        yield ""
        yield f"Preview {name}: {counts}."
        if preview.errors:
            yield f"**It failed** with {preview.errors} errors: they are in the job's output."


def _order(problem: Problem) -> tuple[bool, str, str, str]:
    return (problem.verdict != "denies", problem.rule, problem.subject, problem.where)


def _rule(problem: Problem) -> str:
    return f"{problem.rule} {problem.check_id}".strip()


def _fitting(rows: Iterable[str], room: int) -> Iterator[str]:
    for row in rows:
        room -= len(row.encode()) + 1
        if room < 0:
            return
        yield row


def _row(*cells: str, code: bool = True) -> str:
    return "| " + " | ".join(_code(cell) if code else cell for cell in cells) + " |"


def _code(text: str) -> str:
    """Text as a code span of one line in a table: nothing in it is read as Markdown, HTML or a mention.

    A bar ends a cell even inside a code span, and whether a backslash keeps it differs between platforms.
    """
    plain = "".join(char if char.isprintable() else " " for char in text).strip()
    if len(plain) > _CELL:
        plain = plain[: _CELL - 1] + "…"
    return f"`{plain.translate(_HARMLESS)}`" if plain else ""
