"""Vault objects as Pulumi dynamic resources, written through hvac.

`resources` has the resources, `providers` what they do, `client` how Vault is reached. The providers live here, in an
importable module, so that the state refers to them by name and holds neither code nor a token.
"""
