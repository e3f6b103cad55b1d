"""Signed statements: in-toto Statement v1 in a DSSE envelope, ECDSA P-256 with SHA-256.

The envelope's `keyid` is `<key name>:v<version>`, the name of a transit key. It only says which public key to try:
what is trusted is that the signature holds under the key that the vault publishes by that name.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from falaj.canonical import canonical
from falaj.errors import StatementError

__all__ = ["Envelope", "PublicKey", "Statement", "make_statement", "pae", "seal", "verify"]

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
_KEY_ID = re.compile(r"([a-z0-9]([-a-z0-9]{0,126}[a-z0-9])?):v([1-9][0-9]{0,8})")
_MAX_ENVELOPE = 64 * 1024


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A version of a transit key as the vault publishes it. `exportable`: whether its private half could have left."""

    pem: str
    exportable: bool


@dataclass(frozen=True, slots=True)
class Statement:
    """What was signed: a predicate over one digest (`sha256:<hex>`)."""

    subject: str
    predicate_type: str
    predicate: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Envelope:
    """A payload and its one signature. `key` and `key_version` are read from the envelope: a hint, not a proof."""

    payload: bytes
    key: str
    key_version: int
    signature: bytes

    def to_json(self) -> str:
        return canonical(
            {
                "payload": base64.b64encode(self.payload).decode(),
                "payloadType": PAYLOAD_TYPE,
                "signatures": [
                    {"keyid": f"{self.key}:v{self.key_version}", "sig": base64.b64encode(self.signature).decode()}
                ],
            }
        ).decode()

    @classmethod
    def parse(cls, text: str) -> Envelope:
        """The envelope in `text`. Raises StatementError: anything but one envelope with exactly one signature."""
        if len(text) > _MAX_ENVELOPE:
            raise StatementError("the envelope is larger than 64 KiB")
        try:
            data = json.loads(text)
            if set(data) != {"payload", "payloadType", "signatures"} or data["payloadType"] != PAYLOAD_TYPE:
                raise StatementError("not a DSSE envelope with an in-toto statement")
            (signature,) = data["signatures"]
            match = _KEY_ID.fullmatch(signature["keyid"])
            if match is None or set(signature) != {"keyid", "sig"}:
                raise StatementError("the signature does not name a key as <name>:v<version>")
            return cls(
                payload=base64.b64decode(data["payload"], validate=True),
                key=match.group(1),
                key_version=int(match.group(3)),
                signature=base64.b64decode(signature["sig"], validate=True),
            )
        except (ValueError, TypeError, KeyError, binascii.Error, RecursionError) as error:
            raise StatementError(f"not a DSSE envelope with one signature ({type(error).__name__})") from None

    def statement(self) -> Statement:
        """What the payload says, verified or not. Raises StatementError: not an in-toto statement over one digest."""
        try:
            data = json.loads(self.payload)
            (subject,) = data["subject"]
            ((algorithm, value),) = subject["digest"].items()
            predicate_type, predicate = data["predicateType"], data["predicate"]
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise StatementError("the payload is not an in-toto statement over one digest") from None
        if data.get("_type") != STATEMENT_TYPE or algorithm != "sha256" or not isinstance(predicate, dict):
            raise StatementError("the payload is not an in-toto v1 statement over a SHA-256 digest")
        if (
            not isinstance(value, str)
            or not re.fullmatch(r"[0-9a-f]{64}", value)
            or not isinstance(predicate_type, str)
        ):
            raise StatementError("the statement's digest is not a SHA-256 digest")
        return Statement(subject=f"sha256:{value}", predicate_type=predicate_type, predicate=predicate)


def pae(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: what is really signed, so that a payload cannot pass as another type."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def make_statement(name: str, digest: str, predicate_type: str, predicate: Mapping[str, Any]) -> bytes:
    """The payload of a statement over `digest` (`sha256:<hex>`), canonical."""
    algorithm, _, value = digest.partition(":")
    return canonical(
        {
            "_type": STATEMENT_TYPE,
            "predicate": predicate,
            "predicateType": predicate_type,
            "subject": [{"digest": {algorithm: value}, "name": name}],
        }
    )


def seal(payload: bytes, key: str, sign: Callable[[bytes], tuple[int, bytes]]) -> Envelope:
    """An envelope of `payload`. `sign` takes the bytes to sign and returns (key version, ASN.1 DER signature)."""
    version, signature = sign(pae(payload))
    return Envelope(payload=payload, key=key, key_version=version, signature=signature)


def verify(envelope: Envelope, public_key: PublicKey) -> None:
    """Raises StatementError unless the signature holds under `public_key`, a P-256 key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(public_key.pem.encode())
    except ValueError:
        raise StatementError(f"the vault's public key {envelope.key!r} cannot be read") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise StatementError(f"the vault's key {envelope.key!r} is not a P-256 key")
    try:
        key.verify(envelope.signature, pae(envelope.payload), ec.ECDSA(SHA256()))
    except InvalidSignature:
        raise StatementError("the signature does not match") from None
