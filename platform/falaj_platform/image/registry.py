"""Pushes the built image to a registry, by the OCI distribution protocol."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from pydantic import BaseModel, ConfigDict

from falaj_platform.errors import ImageError, RegistryError
from falaj_platform.image.build import built
from falaj_platform.image.contents import NAME
from falaj_platform.image.credentials import PASSWORD_VARIABLE, USER_VARIABLE, find_credentials
from falaj_platform.image.oci import MANIFEST_TYPE, blob_of
from falaj_platform.image.sbom import MEDIA_TYPE as BILL_TYPE
from falaj_site.progress import Progress, Silent, step

if TYPE_CHECKING:
    from urllib3.response import BaseHTTPResponse

_TARGET = re.compile(
    r"^(?P<host>[A-Za-z0-9.-]+(?::\d{1,5})?|\[[0-9a-f:]+\](?::\d{1,5})?)(?P<path>(?:/[a-z0-9._-]+)*)/?$"
)
_LOOPBACK = re.compile(r"^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$")
_EMPTY = b"{}"
_EMPTY_TYPE = "application/vnd.oci.empty.v1+json"


class Pushed(BaseModel):
    """A pushed image: `reference` names it there by digest; `bill` is the digest of its SBOM's manifest there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reference: str
    tag: str
    bill: str
    blobs: int
    sent: int
    bytes_sent: int


@dataclass(frozen=True)
class _Blob:
    digest: str
    size: int
    offset: int


def push_image(home: Path, target: str, *, insecure: bool = False, progress: Progress | None = None) -> Pushed:
    """Push the image built under `home`, and its SBOM as its referrer, to `target` (host[:port][/path]).

    Raises ImageError if none is built, RegistryError if the registry refuses or does not answer.
    """
    show = progress or Silent()
    image = built(home)
    if image is None:
        raise ImageError("there is no image to push; build it with `falaj image build`")
    matched = _TARGET.match(target)
    if matched is None:
        raise RegistryError(f"{target!r} is no registry; name it as host[:port][/path], without a scheme or a tag")
    host = matched["host"]
    repository = f"{matched['path']}/{NAME.partition('/')[2]}".lstrip("/")
    client = _Client(host, repository, plain=insecure or bool(_LOOPBACK.match(host)))
    sent = bytes_sent = 0
    manifest, blobs = read_archive(image.archive)
    if blob_of(manifest).digest != image.digest:
        raise ImageError(f"{image.archive}: not the image that was built; build it again with `falaj image build`")
    show.plan([f"blob {blob.digest[7:19]}" for blob in blobs])
    with image.archive.open("rb") as raw:
        for blob in blobs:
            with step(show, f"blob {blob.digest[7:19]}"):
                if client.push_blob(blob.digest, blob.size, _Window(raw, blob.offset, blob.size)):
                    sent, bytes_sent = sent + 1, bytes_sent + blob.size
    # A tag, because many registries remove what has none.
    tag = f"falaj-{image.digest[7:19]}"
    client.push_manifest(tag, manifest)
    bill = _push_bill(client, image.bill.read_bytes(), image.digest, len(manifest))
    reference = f"{host}/{repository}@{image.digest}"
    return Pushed(reference=reference, tag=tag, bill=bill, blobs=len(blobs), sent=sent, bytes_sent=bytes_sent)


def _push_bill(client: _Client, bill: bytes, subject: str, subject_size: int) -> str:
    for content in (bill, _EMPTY):
        client.push_blob(blob_of(content).digest, len(content), io.BytesIO(content))
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": BILL_TYPE,
        "config": {"mediaType": _EMPTY_TYPE, "digest": blob_of(_EMPTY).digest, "size": len(_EMPTY)},
        "layers": [{"mediaType": BILL_TYPE, "digest": blob_of(bill).digest, "size": len(bill)}],
        "subject": {"mediaType": MANIFEST_TYPE, "digest": subject, "size": subject_size},
    }
    manifest = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    digest = blob_of(manifest).digest
    client.push_manifest(digest, manifest)
    return digest


def read_archive(path: Path) -> tuple[bytes, tuple[_Blob, ...]]:
    """The image's manifest, and where in the archive its blobs lie. Raises ImageError on a broken archive."""
    try:
        with tarfile.open(path) as archive:
            members = {member.name: member for member in archive}

            def content(name: str) -> bytes:
                file = archive.extractfile(members[name])
                assert file is not None
                return file.read()

            index = json.loads(content("index.json"))
            manifest = content("blobs/" + index["manifests"][0]["digest"].replace(":", "/"))
        described = json.loads(manifest)
        blobs = []
        for descriptor in (*described["layers"], described["config"]):
            member = members["blobs/" + descriptor["digest"].replace(":", "/")]
            if member.size != descriptor["size"]:
                raise ValueError(descriptor["digest"])
            blobs.append(_Blob(descriptor["digest"], member.size, member.offset_data))
    except (OSError, ValueError, KeyError, IndexError, tarfile.TarError) as error:
        raise ImageError(f"{path}: the image's archive is damaged; build it again with `falaj image build`") from error
    return manifest, tuple(blobs)


class _Window(io.RawIOBase):
    """A part of an open file, from `offset` on, `size` bytes."""

    def __init__(self, raw: IO[bytes], offset: int, size: int) -> None:
        self._raw, self._offset, self._size, self._at = raw, offset, size, 0

    def read(self, size: int = -1) -> bytes:
        left = self._size - self._at
        self._raw.seek(self._offset + self._at)
        data = self._raw.read(left if size is None or size < 0 else min(size, left))
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset if whence == io.SEEK_SET else self._at + offset if whence == io.SEEK_CUR else self._size
        return self._at

    def tell(self) -> int:
        return self._at


class _Client:
    """One repository of one registry."""

    def __init__(self, host: str, repository: str, *, plain: bool) -> None:
        self._host, self._repository = host, repository
        self._base = f"{'http' if plain else 'https'}://{host}"
        self._credentials = find_credentials(host)
        self._authorization: str | None = None
        self._http = _pool(self._base, host)

    def push_blob(self, digest: str, size: int, content: Any) -> bool:
        """Send a blob unless it is there; say whether it was sent."""
        there = self._ask("HEAD", f"/v2/{self._repository}/blobs/{digest}", good=(200, 404))
        if there.status == 200:
            return False
        begun = self._ask(
            "POST", f"/v2/{self._repository}/blobs/uploads/", good=(202,), headers={"Content-Length": "0"}
        )
        location = urljoin(self._base, begun.headers.get("Location", ""))
        parts = urlsplit(location)
        query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), ("digest", digest)])
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        self._ask("PUT", urlunsplit(parts._replace(query=query)), good=(201,), headers=headers, body=content)
        return True

    def push_manifest(self, name: str, manifest: bytes) -> None:
        """Put a manifest under a tag or its digest, and see that the registry knows it by the same digest."""
        path = f"/v2/{self._repository}/manifests/{name}"
        answer = self._ask("PUT", path, good=(201,), headers={"Content-Type": MANIFEST_TYPE}, body=manifest)
        known = answer.headers.get("Docker-Content-Digest")
        if known and known != blob_of(manifest).digest:
            raise RegistryError(
                f"{self._host} keeps the image as {known}, not as it was sent; do not use it from there"
            )

    def _ask(
        self,
        method: str,
        where: str,
        *,
        good: tuple[int, ...],
        headers: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> BaseHTTPResponse:
        answer = self._send(method, where, headers or {}, body)
        if answer.status == 401 and self._own(where):
            self._log_in(answer.headers.get("WWW-Authenticate", ""))
            if hasattr(body, "seek"):
                body.seek(0)
            answer = self._send(method, where, headers or {}, body)
        if answer.status not in good:
            raise RegistryError(self._refusal(method, answer))
        return answer

    def _send(self, method: str, where: str, headers: Mapping[str, str], body: Any) -> BaseHTTPResponse:
        # Uploads may go to a store elsewhere, which must not see who we are to the registry.
        known = {"Authorization": self._authorization} if self._authorization and self._own(where) else {}
        with self._reached():
            return self._http.request(
                method, urljoin(self._base, where), headers={**headers, **known}, body=body, redirect=False
            )

    def _own(self, where: str) -> bool:
        return urljoin(self._base, where).startswith(f"{self._base}/")

    def _log_in(self, challenge: str) -> None:
        """Answer a registry's challenge. Raises RegistryError where there is nothing to answer with."""
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic" and self._credentials:
            self._authorization = self._credentials.basic
            return
        if scheme.lower() != "bearer":
            raise RegistryError(f"{self._host} wants to know who pushes: {_LOGIN}")
        fields = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        realm = fields.get("realm", "")
        if not realm.startswith("https://") and not (self._base.startswith("http://") and realm.startswith("http://")):
            raise RegistryError(f"{self._host} names no https address to log in at; its challenge is not answered")
        wanted = {"scope": f"repository:{self._repository}:pull,push", "service": fields.get("service", "")}
        with self._reached():
            answer = self._http.request(
                "GET",
                f"{realm}{'&' if '?' in realm else '?'}{urlencode(wanted)}",
                headers={"Authorization": self._credentials.basic} if self._credentials else {},
                redirect=False,
            )
        try:
            document = json.loads(answer.data) if answer.status == 200 else {}
            token = document.get("token") or document["access_token"]
        except (ValueError, KeyError, AttributeError) as error:
            raise RegistryError(f"{self._host} refused the log-in ({answer.status}): {_LOGIN}") from error
        self._authorization = f"Bearer {token}"

    def _refusal(self, method: str, answer: BaseHTTPResponse) -> str:
        try:
            first = json.loads(answer.data)["errors"][0]
            reason = str(first.get("message") or first["code"])[:200]
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            reason = "no reason given"
        remedy = f"; {_LOGIN}" if answer.status in (401, 403) else ""
        return f"{self._host} refused {method} in {self._repository}: {answer.status}, {reason}{remedy}"

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except urllib3.exceptions.HTTPError as error:
            cause = str(getattr(error, "reason", None) or error).rsplit(": ", 1)[-1][:150]
            raise RegistryError(f"{self._host} does not answer: {cause}; check its name and the network") from error


_LOGIN = f"log in with `docker login`, or set {USER_VARIABLE} and {PASSWORD_VARIABLE}"


def _pool(base: str, host: str) -> urllib3.PoolManager:
    proxy = None if proxy_bypass(host) else getproxies().get(urlsplit(base).scheme)
    # Not retried here: a body that is streamed cannot be sent twice, and a push that is run again skips what arrived.
    options: dict[str, Any] = {"timeout": urllib3.Timeout(connect=15, read=600), "retries": False}
    return urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)
