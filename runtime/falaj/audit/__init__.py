"""The tenant's audit log: records in a hash chain, one writer, verifiable without a network."""

from __future__ import annotations

from falaj.audit.record import GENESIS, Entry, Record, Verdict, chain, verify

# Whom a token for the audit service is for: it opens nothing else, whoever gets hold of it there.
AUDIENCE = "falaj-audit"

__all__ = ["AUDIENCE", "GENESIS", "Entry", "Record", "Verdict", "chain", "verify"]
