"""Everything the rules package raises.

PoliciesError
├── RulePackageError     an installed rule package cannot be used
├── UnknownControl       no rule or control of that id
├── UnknownJurisdiction  a jurisdiction that the data does not name
└── UnknownRegime        a regime that the data does not name
"""

from __future__ import annotations

__all__ = ["PoliciesError", "RulePackageError", "UnknownControl", "UnknownJurisdiction", "UnknownRegime"]


class PoliciesError(Exception):
    """The root; its text is one line fit for a user. `exit_code` is the command line's: it could not run."""

    exit_code = 2


class RulePackageError(PoliciesError):
    pass


class UnknownControl(PoliciesError):
    pass


class UnknownJurisdiction(PoliciesError):
    pass


class UnknownRegime(PoliciesError):
    pass
