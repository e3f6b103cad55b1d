"""What can go wrong in `falaj_infra`.

    InfraError
    └── VaultError              a request to Vault failed
        ├── VaultUnreachable    nothing answers at the address, or not with a trusted certificate
        ├── VaultDenied         Vault knows the caller and refuses the request, or does not know the caller
        └── VaultConflict       something else already stands at the path

Messages name the address and the path, never a token or a value.
"""

from __future__ import annotations

__all__ = ["InfraError", "VaultConflict", "VaultDenied", "VaultError", "VaultUnreachable"]


class InfraError(Exception):
    """The root of the package's exceptions; its text is one line for the user."""


class VaultError(InfraError):
    """A request to Vault failed."""


class VaultUnreachable(VaultError):
    """Nothing answers at the address, or not with a certificate that is trusted."""


class VaultDenied(VaultError):
    """Vault refuses the caller or the request."""


class VaultConflict(VaultError):
    """Something that Falaj did not make already stands at the path."""
