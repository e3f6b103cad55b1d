"""The Checkov bridge: what a program declares, converted and judged by Checkov, said in our rules' words.

with Scanner() as scanner:          # starts Checkov's own process, which takes a second or two to be ready
    facts = ...                     # meanwhile the program runs
    findings = scanner.scan(facts)  # tuple[CheckovFinding, ...]
"""

from __future__ import annotations

from falaj_platform.checkov.scanner import CheckovFinding, Scanner

__all__ = ["CheckovFinding", "Scanner"]
