"""Pulumi's passphrase secrets provider: PBKDF2-SHA256 and AES-256-GCM, text `v1:NONCE:CIPHERTEXT` in base64."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import threading
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from falaj_engine.errors import PassphraseError

_ROUNDS = 1_000_000
_CHECK = b"pulumi"


@lru_cache(maxsize=16)
def _derive(passphrase: str, salt: bytes, rounds: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, rounds, 32)


class Crypter:
    """Encrypts and decrypts the secrets of one stack.

    state: the text kept as `encryptionsalt` and in the checkpoint. The key takes about a third of a second to derive;
    that is done on a thread of its own, so that it passes while the program is imported.
    """

    type = "passphrase"

    def __init__(self, passphrase: str, state: str, *, rounds: int = _ROUNDS) -> None:
        try:
            version, salt, check = state.split(":", 2)
            self._salt = base64.b64decode(salt, validate=True)
        except ValueError:
            version, check = "", ""
        if version != "v1":
            raise PassphraseError(f"the encryption salt {state!r} is not in Pulumi's passphrase format")
        self.state = state
        self._check = check
        self._passphrase = passphrase
        self._rounds = rounds
        self._cipher: AESGCM | None = None
        self._lock = threading.Lock()
        threading.Thread(target=self._warm, daemon=True, name="falaj-key").start()

    @classmethod
    def create(cls, passphrase: str, *, rounds: int = _ROUNDS) -> Self:
        """A crypter with a new salt. rounds: Pulumi's number, for anything that is kept."""
        salt = secrets.token_bytes(8)
        check = _encrypt(AESGCM(_derive(passphrase, salt, rounds)), _CHECK)
        return cls(passphrase, f"v1:{base64.b64encode(salt).decode()}:{check}", rounds=rounds)

    @classmethod
    def none(cls) -> Self:
        """A crypter for runs that write nothing; its key is thrown away."""
        return cls.create(secrets.token_hex(16), rounds=1)

    def encrypt(self, text: str) -> str:
        """`text` encrypted under a new nonce."""
        return _encrypt(self._ready(), text.encode())

    def decrypt(self, text: str) -> str:
        """The plaintext. Raises PassphraseError if it was not encrypted with this key."""
        return _decrypt(self._ready(), text).decode()

    def verify(self) -> None:
        """Raise PassphraseError unless the passphrase is the one the salt was made with."""
        self._ready()

    def _warm(self) -> None:
        _derive(self._passphrase, self._salt, self._rounds)

    def _ready(self) -> AESGCM:
        with self._lock:
            if self._cipher is None:
                cipher = AESGCM(_derive(self._passphrase, self._salt, self._rounds))
                if _decrypt(cipher, self._check) != _CHECK:
                    raise PassphraseError("incorrect passphrase: set PULUMI_CONFIG_PASSPHRASE to the stack's own")
                self._cipher = cipher
            return self._cipher


def _encrypt(cipher: AESGCM, plain: bytes) -> str:
    nonce = secrets.token_bytes(12)
    return f"v1:{base64.b64encode(nonce).decode()}:{base64.b64encode(cipher.encrypt(nonce, plain, None)).decode()}"


def _decrypt(cipher: AESGCM, text: str) -> bytes:
    try:
        version, nonce, body = text.split(":")
        if version != "v1":
            raise ValueError(version)
        return cipher.decrypt(base64.b64decode(nonce, validate=True), base64.b64decode(body, validate=True), None)
    except InvalidTag:
        raise PassphraseError(
            "a secret does not open: incorrect passphrase; set PULUMI_CONFIG_PASSPHRASE to the stack's own"
        ) from None
    except ValueError:
        raise PassphraseError("a secret in the state is not in Pulumi's v1 format") from None


def find_passphrase(home: Path, environment: Mapping[str, str] | None = None) -> str:
    """PULUMI_CONFIG_PASSPHRASE, then the file _FILE names, then `home/passphrase`, made (mode 0600) on first use."""
    environment = os.environ if environment is None else environment
    if "PULUMI_CONFIG_PASSPHRASE" in environment:
        return environment["PULUMI_CONFIG_PASSPHRASE"]
    if named := environment.get("PULUMI_CONFIG_PASSPHRASE_FILE"):
        try:
            return Path(named).read_text().strip()
        except OSError as error:
            raise PassphraseError(f"PULUMI_CONFIG_PASSPHRASE_FILE: {error.strerror}: {named}") from None
    path = home / "passphrase"
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise PassphraseError(f"{path}: {error.strerror}") from None
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    passphrase = secrets.token_urlsafe(32)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(passphrase + "\n")
    except FileExistsError:  # another process was first
        return path.read_text().strip()
    return passphrase
