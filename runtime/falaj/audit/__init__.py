"""The tenant's audit log: records in a hash chain, one writer, verifiable without a network."""

from __future__ import annotations

from falaj.audit.record import GENESIS, Entry, Record, Verdict, chain, verify

__all__ = ["GENESIS", "Entry", "Record", "Verdict", "chain", "verify"]
