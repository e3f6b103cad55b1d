"""What can go wrong in `falaj_infra`.

    InfraError
    ├── PlaceError              a stack's configuration does not say where the stack is
    ├── WaiverError             the waiver file cannot be read
    └── VaultError              a request to Vault failed
        ├── VaultUnreachable    nothing answers at the address, or not with a trusted certificate
        ├── VaultDenied         Vault knows the caller and refuses the request, or does not know the caller
        └── VaultConflict       something else already stands at the path

Messages name the address and the path, never a token or a value.
"""

from __future__ import annotations

__all__ = [
    "InfraError",
    "PlaceError",
    "VaultConflict",
    "VaultDenied",
    "VaultError",
    "VaultUnreachable",
    "WaiverError",
]


class InfraError(Exception):
    """The root of the package's exceptions; its text is one line for the user."""


class PlaceError(InfraError):
    """Where the stack is leads nowhere: the text names file and key."""

    exit_code = 2


class WaiverError(InfraError):
    """The waiver file cannot be read: nothing is waived, so nothing passes that depends on it."""

    exit_code = 2


class VaultError(InfraError):
    """A request to Vault failed."""


class VaultUnreachable(VaultError):
    """Nothing answers at the address, or not with a certificate that is trusted."""


class VaultDenied(VaultError):
    """Vault refuses the caller or the request."""


class VaultConflict(VaultError):
    """Something that Falaj did not make already stands at the path."""
