"""Everything the rules package raises.

PoliciesError
├── UnknownControl       no rule or control of that id
└── UnknownJurisdiction  a jurisdiction that the data does not name
"""

from __future__ import annotations

__all__ = ["PoliciesError", "UnknownControl", "UnknownJurisdiction"]


class PoliciesError(Exception):
    """The root; its text is one line fit for a user."""


class UnknownControl(PoliciesError):
    pass


class UnknownJurisdiction(PoliciesError):
    pass
