"""JUnit XML: a test suite for each stack, a test case for each rule."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree

from falaj_platform.check.result import CheckFinding, CheckResult

__all__ = ["to_junit"]

# XML 1.0 has no way to write these.
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_junit(result: CheckResult) -> str:
    """What denies is a failure; a rule that only waits for values, or is waived, is skipped, with the reason."""
    root = ElementTree.Element("testsuites", name=f"falaj check {result.project}", time=f"{result.seconds:.3f}")
    names = [stack.name for stack in result.stacks]
    for name in [*names, ""]:
        findings = [finding for finding in result.findings if (finding.stack if finding.stack in names else "") == name]
        rules = sorted({*result.rules, *(finding.rule for finding in findings)}) if name else None
        _suite(root, name or result.project, findings, rules or sorted({finding.rule for finding in findings}), result)
    tests = failures = skipped = 0
    for suite in root:
        tests += int(suite.get("tests", 0))
        failures += int(suite.get("failures", 0))
        skipped += int(suite.get("skipped", 0))
    root.attrib |= {"tests": str(tests), "failures": str(failures), "errors": "0", "skipped": str(skipped)}
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(
    root: ElementTree.Element,
    name: str,
    findings: Sequence[CheckFinding],
    rules: Sequence[str],
    result: CheckResult,
) -> None:
    suite = ElementTree.SubElement(root, "testsuite", name=_text(name))
    properties = ElementTree.SubElement(suite, "properties")
    said = [("rule-set-version", result.rule_set_version)]
    said += [("left-out", text) for text in result.left_out] + [("note", text) for text in result.notes]
    for key, value in said:
        ElementTree.SubElement(properties, "property", name=key, value=_text(value))
    failures = skipped = 0
    for rule in rules:
        mine = [finding for finding in findings if finding.rule == rule]
        denied = [finding for finding in mine if finding.denies]
        title = mine[0].title if mine else ""
        case = ElementTree.SubElement(suite, "testcase", classname=_text(name), name=_text(f"{rule} {title}".strip()))
        if denied:
            failures += 1
            failure = ElementTree.SubElement(
                case, "failure", type=rule, message=_text(f"{len(denied)}: {denied[0].message}")
            )
            failure.text = _text("\n".join(map(_line, denied)))
        elif any(finding.undecided or finding.waived for finding in mine):
            skipped += 1
            waiting = sum(finding.undecided and not finding.waived for finding in mine)
            waived = sum(bool(finding.waived) for finding in mine)
            why = [f"{waiting} undecided, judged again at up"] * bool(waiting) + [f"{waived} waived"] * bool(waived)
            ElementTree.SubElement(case, "skipped", message=_text("; ".join(why)))
            out = ElementTree.SubElement(case, "system-out")
            out.text = _text("\n".join(map(_line, mine)))
    suite.attrib |= {"tests": str(len(rules)), "failures": str(failures), "errors": "0", "skipped": str(skipped)}


def _line(finding: CheckFinding) -> str:
    at = f" at {finding.path}" if finding.path else ""
    where = f" [{finding.where}{f' {finding.key}' if finding.key else ''}]" if finding.where else ""
    state = f" (waived: {finding.waived})" if finding.waived else " (undecided)" if finding.undecided else ""
    return f"{finding.severity} {finding.subject}{at}: {finding.message}; {finding.remedy}{where}{state}"


def _text(text: str) -> str:
    return _NOT_XML.sub("�", text)
