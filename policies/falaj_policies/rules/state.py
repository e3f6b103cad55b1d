"""Where a stack's state and the key of its secrets are, as far as their URLs say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qs, urlsplit

from falaj_policies.facts import StackFact
from falaj_policies.model import Objection
from falaj_policies.rules.pairing import of_kind
from falaj_policies.rules.where import allowed_pairs, region_of_text, short_region

__all__ = ["backend", "encryption"]

_PULUMI_CLOUD: Final = "pulumi.com"
_THIS_MACHINE: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_BY_PASSPHRASE: Final = frozenset({"", "default", "passphrase"})


def backend(stack: StackFact) -> Iterator[Objection]:
    """Objections to the place of the state."""
    if not stack.backend:
        yield Objection("it is not said where the state is kept", path="backend", undecided=True)
        return
    try:
        url = urlsplit(stack.backend)
        host, query = url.hostname or "", parse_qs(url.query)
    except ValueError:
        yield Objection("the backend's URL cannot be read", path="backend")
        return
    if host == _PULUMI_CLOUD or host.endswith(f".{_PULUMI_CLOUD}"):
        yield Objection("the state is in Pulumi Cloud, which is abroad", path="backend")
    elif url.scheme == "s3" and "endpoint" not in query:
        yield from _in_region(stack, "aws", query.get("region", [""])[0], "the state", "backend")
    elif url.scheme == "azblob":
        account = query.get("storage_account", [""])[0]
        yield from _declared(stack, "azure-native:storage:StorageAccount", "accountName", account, "the state")
    elif url.scheme in ("file", "") or host in _THIS_MACHINE:
        if stack.cloud != "on-premises":
            yield Objection("the state is on the machine that runs the program, wherever that is", path="backend")
    else:
        yield Objection(f"a {url.scheme}:// URL does not say where the state is", path="backend")


def encryption(stack: StackFact) -> Iterator[Objection]:
    """Objections to the place of the key that the secrets in the state are under."""
    if stack.encryption in _BY_PASSPHRASE:
        return
    try:
        url = urlsplit(stack.encryption)
        query = parse_qs(url.query)
    except ValueError:
        yield Objection("the secrets provider's URL cannot be read", path="encryption")
        return
    what = "the key of the secrets"
    if url.scheme == "awskms":
        region = query.get("region", [""])[0] or region_of_text(url.path.lstrip("/")) or ""
        yield from _in_region(stack, "aws", region, what, "encryption")
    elif url.scheme == "gcpkms":
        _, _, rest = f"{url.netloc}{url.path}".partition("/locations/")
        yield from _in_region(stack, "google", rest.partition("/")[0], what, "encryption")
    elif url.scheme == "azurekeyvault":
        yield from _declared(
            stack, "azure-native:keyvault:Vault", "vaultName", url.netloc.partition(".")[0], what, "encryption"
        )
    elif url.scheme == "hashivault":
        if stack.cloud != "on-premises":
            yield Objection("the URL does not say where the Vault of the secrets' key is", "encryption", undecided=True)
    else:
        yield Objection(f"{url.scheme or stack.encryption}: no such secrets provider is known", path="encryption")


def _in_region(stack: StackFact, cloud: str, region: str, what: str, path: str) -> Iterator[Objection]:
    allowed = allowed_pairs(stack)
    if isinstance(allowed, str):
        return
    if not region:
        yield Objection(f"the URL does not say the region of {what}", path=path)
    elif (cloud, short_region(cloud, region)) not in allowed:
        yield Objection(f"{what} is in {cloud} {region}, not in {stack.jurisdiction}", path=path)


def _declared(
    stack: StackFact, kind: str, key: str, name: str, what: str, path: str = "backend"
) -> Iterator[Objection]:
    """What the URL names is declared in the stack, where RES-01 judges its place."""
    if not any(resource.inputs.get(key) == name for resource in of_kind(stack, kind)):
        yield Objection(f"the URL does not say where {what} is, and the stack does not declare {name!r}", path=path)
