"""JSON: everything that the result holds."""

from __future__ import annotations

import dataclasses
import json

from falaj_platform.check.result import CheckResult

__all__ = ["to_json"]


def to_json(result: CheckResult) -> str:
    """One object; `ok` is whether nothing denies."""
    data = dataclasses.asdict(result)
    for made, finding in zip(data["findings"], result.findings, strict=True):
        made["denies"] = finding.denies
    return json.dumps({"ok": not result.denied, "counts": result.counts, **data}, indent=2) + "\n"
