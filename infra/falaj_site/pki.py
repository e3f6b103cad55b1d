"""The site's own certificate authority: P-256 keys, files for their owner only.

A certificate is made anew when it is missing, near its end, or no longer says what is asked for, so that calling
`issue` again changes nothing that still holds.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from falaj_site.home import private_folder, write_private

__all__ = ["Authority", "KeyPair", "signing_key"]

_CA_DAYS = 3650
_LEAF_DAYS = 825
_RENEW_DAYS = 30
_CLOCK_SKEW = datetime.timedelta(minutes=5)


@dataclass(frozen=True)
class KeyPair:
    """The paths of a certificate and its private key, both PEM."""

    certificate: Path
    key: Path


class Authority:
    """A certificate authority in `folder`: `ca.crt`, `ca.key` and what it issued, `<name>.crt` and `<name>.key`."""

    def __init__(self, folder: Path) -> None:
        self.folder = private_folder(folder)
        self.certificate = folder / "ca.crt"
        self._key_path = folder / "ca.key"
        if not (self.certificate.exists() and self._key_path.exists()):
            self._create()
        self._certificate = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        self._key = _load_key(self._key_path)

    def _create(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("falaj-site-ca", ())
        now = _now()
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _CLOCK_SKEW)
            .not_valid_after(now + datetime.timedelta(days=_CA_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        write_private(self._key_path, _pem(key))
        write_private(self.certificate, certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *, common_name: str, groups: Sequence[str] = (), hosts: Sequence[str] = ()) -> KeyPair:
        """A certificate for `common_name` in `groups` (its organisations).

        With `hosts` (DNS names and IP addresses) it serves as well as calls; without, it only calls.
        """
        pair = KeyPair(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        if not self._holds(pair, common_name, groups, hosts):
            key = ec.generate_private_key(ec.SECP256R1())
            certificate = self._sign(key.public_key(), common_name, groups, hosts)
            write_private(pair.key, _pem(key))
            write_private(pair.certificate, certificate.public_bytes(serialization.Encoding.PEM))
        return pair

    def _sign(
        self, key: ec.EllipticCurvePublicKey, common_name: str, groups: Sequence[str], hosts: Sequence[str]
    ) -> x509.Certificate:
        now = _now()
        uses = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if hosts else [])]
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(common_name, groups))
            .issuer_name(self._certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _CLOCK_SKEW)
            .not_valid_after(now + datetime.timedelta(days=_LEAF_DAYS))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if hosts:
            builder = builder.add_extension(_alternative_names(hosts), critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def _holds(self, pair: KeyPair, common_name: str, groups: Sequence[str], hosts: Sequence[str]) -> bool:
        try:
            certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
            key = _load_key(pair.key)
            certificate.verify_directly_issued_by(self._certificate)
            named = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value if hosts else None
        except Exception:  # noqa: BLE001 - whatever is wrong with the old one, a new one puts it right
            return False
        return (
            certificate.public_key() == key.public_key()
            and certificate.subject == _name(common_name, groups)
            and (named is None or named == _alternative_names(hosts))
            and certificate.not_valid_after_utc > _now() + datetime.timedelta(days=_RENEW_DAYS)
        )


def signing_key(path: Path) -> Path:
    """A P-256 private key for signing tokens, made if it is missing; its public half lies beside it as `.pub`."""
    public = path.with_suffix(".pub")
    if not path.exists():
        private_folder(path.parent)
        write_private(path, _pem(ec.generate_private_key(ec.SECP256R1())))
    if not public.exists():
        write_private(
            public,
            _load_key(path)
            .public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        )
    return path


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _name(common_name: str, groups: Sequence[str]) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _alternative_names(hosts: Sequence[str]) -> x509.SubjectAlternativeName:
    names: list[x509.GeneralName] = []
    for host in hosts:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
    return x509.SubjectAlternativeName(names)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{path} holds no elliptic-curve key")
    return key
