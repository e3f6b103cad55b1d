"""The rules themselves, one function each; `falaj_policies.registry` gives them their metadata."""
