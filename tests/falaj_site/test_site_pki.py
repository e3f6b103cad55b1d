"""The site's certificate authority."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from falaj_site import pki
from falaj_site.pki import Authority, signing_key


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_every_key_is_p256_and_its_owners_only(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "pki")
    authority.issue("server", common_name="server", hosts=("localhost",))
    signing_key(tmp_path / "pki" / "token.key")
    keys = sorted((tmp_path / "pki").glob("*.key"))
    assert [path.name for path in keys] == ["ca.key", "server.key", "token.key"]
    for path in keys:
        assert path.stat().st_mode & 0o777 == 0o600
        assert isinstance(pki._load_key(path).curve, ec.SECP256R1)
    assert (tmp_path / "pki").stat().st_mode & 0o777 == 0o700


def test_a_certificate_says_what_was_asked_and_is_the_authoritys(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("api", common_name="kube-apiserver", groups=("a", "b"), hosts=("localhost", "10.0.0.1"))
    certificate = read(pair.certificate)
    certificate.verify_directly_issued_by(read(authority.certificate))
    assert certificate.subject.rfc4514_string() == "CN=kube-apiserver,O=b,O=a"
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1"]


def test_a_certificate_without_hosts_cannot_serve(tmp_path: Path) -> None:
    pair = Authority(tmp_path).issue("caller", common_name="caller")
    uses = read(pair.certificate).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(uses) == [ExtendedKeyUsageOID.CLIENT_AUTH]


def test_asking_again_keeps_what_holds_and_replaces_what_does_not(tmp_path: Path) -> None:
    def issue(**wanted: tuple[str, ...]) -> bytes:
        return Authority(tmp_path).issue("one", common_name="one", **wanted).certificate.read_bytes()

    first = issue(hosts=("localhost",))
    assert issue(hosts=("localhost",)) == first
    assert issue(hosts=("localhost", "10.0.0.1")) != first
    assert issue(groups=("system:masters",)) != issue(groups=())


def test_a_certificate_near_its_end_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = Authority(tmp_path).issue("one", common_name="one").certificate.read_bytes()
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=pki._LEAF_DAYS - 1)
    monkeypatch.setattr(pki, "_now", lambda: later)
    assert Authority(tmp_path).issue("one", common_name="one").certificate.read_bytes() != first


@pytest.mark.parametrize("damage", [b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_damaged_certificate_is_replaced(tmp_path: Path, damage: bytes) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("one", common_name="one")
    pair.certificate.write_bytes(damage)
    read(authority.issue("one", common_name="one").certificate)


def test_a_key_of_another_authority_is_replaced(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    pair, other = ours.issue("one", common_name="one"), theirs.issue("one", common_name="one")
    pair.certificate.write_bytes(other.certificate.read_bytes())
    pair.key.write_bytes(other.key.read_bytes())
    read(ours.issue("one", common_name="one").certificate).verify_directly_issued_by(read(ours.certificate))
