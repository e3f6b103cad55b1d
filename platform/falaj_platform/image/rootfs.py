"""The Debian layer: packages unpacked into a folder, without a chroot, root rights or maintainer scripts."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from falaj_platform.errors import FetchError
from falaj_platform.image import process
from falaj_platform.image.contents import (
    DEBIAN_DROPPED,
    DOCUMENTATION,
    FILES,
    FOLDERS,
    LICENCE_FILE,
    LINKS,
    MERGED,
)

DPKG_REMEDY = "build on Debian, or install its package dpkg"
_CERTIFICATES = "usr/share/ca-certificates/mozilla"
_BUNDLE = "etc/ssl/certs/ca-certificates.crt"


def unpack(packages: Iterable[tuple[str, Path]], tree: Path) -> None:
    """Unpack (name, .deb) pairs in order into the empty folder `tree`, then add what the scripts would have made."""
    dpkg_deb = process.find("dpkg-deb", DPKG_REMEDY)
    for name in MERGED:
        (tree / "usr" / name).mkdir(parents=True, exist_ok=True)
    for name, deb in packages:
        _unpack_one(dpkg_deb, name, deb, tree)
    finish(tree)


def _unpack_one(dpkg_deb: str, name: str, deb: Path, tree: Path) -> None:
    with subprocess.Popen([dpkg_deb, "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        try:
            with tarfile.open(fileobj=running.stdout, mode="r|") as archive:
                for member in archive:
                    place(archive, member, tree)
            # Padding after the archive's end must be read, or dpkg-deb dies of a closed pipe.
            shutil.copyfileobj(running.stdout, _Sink())
        except tarfile.TarError as error:
            raise FetchError(f"{deb.name} ({name}) cannot be unpacked: {error}") from error
    if running.returncode != 0:
        raise FetchError(f"{deb.name} ({name}) cannot be unpacked: dpkg-deb ended with {running.returncode}")
    # Where scanners look for the packages of an image that has no package manager.
    control = process.output([dpkg_deb, "--field", str(deb)])
    status = tree / "var/lib/dpkg/status.d"
    status.mkdir(parents=True, exist_ok=True)
    (status / name).write_text(control, encoding="utf-8")


class _Sink:
    def write(self, data: bytes) -> int:
        return len(data)


def place(archive: tarfile.TarFile, member: tarfile.TarInfo, tree: Path) -> None:
    """Write one member of a package into the tree, unless it is dropped. Raises FetchError on a path that escapes."""
    name = merged(member.name)
    if name is None:
        return
    if ".." in PurePosixPath(name).parts:
        raise FetchError(f"a package holds the path {member.name!r}, which leaves the image; nothing was used")
    if dropped(name):
        return
    target = tree / name
    if any(folder.is_symlink() for folder in target.parents if folder != tree and tree in folder.parents):
        raise FetchError(f"a package holds {member.name!r} below a link of another; nothing was used")
    if member.isdir():
        if not target.is_symlink():
            target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_symlink() or target.is_file():
        target.unlink()
    if member.issym():
        target.symlink_to(member.linkname)
    elif member.islnk():
        source = merged(member.linkname)
        if source is None or dropped(source):
            raise FetchError(f"a package links {member.name!r} to a file that is left out")
        os.link(tree / source, target)
    elif member.isfile():
        content = archive.extractfile(member)
        assert content is not None
        with target.open("wb") as file:
            shutil.copyfileobj(content, file)
        target.chmod(0o755 if member.mode & 0o100 else 0o644)
    else:
        raise FetchError(f"a package holds {member.name!r}, which is neither file, folder nor link")


def merged(name: str) -> str | None:
    """The path inside the image, with /bin, /lib and /sbin under /usr; None for the root itself."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not parts or (len(parts) == 1 and parts[0] in MERGED):
        return None
    return "/".join((["usr"] if parts[0] in MERGED else []) + parts)


def dropped(name: str) -> bool:
    """Whether a path of a package stays out of the image."""
    if name.startswith(DOCUMENTATION):
        return PurePosixPath(name).name != LICENCE_FILE and name.count("/") > 3
    return any(fnmatchcase(name, pattern) for pattern in DEBIAN_DROPPED)


def finish(tree: Path) -> None:
    """Add folders, links, accounts and the certificate bundle; remove folders that pruning left empty."""
    for name, target in LINKS.items():
        link = tree / name
        if link.is_dir() and not link.is_symlink() and not any(link.iterdir()):
            link.rmdir()
        if not link.is_symlink():
            link.unlink(missing_ok=True)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target)
    _remove_empty(tree / "usr/share")
    for name in FOLDERS:
        (tree / name).mkdir(parents=True, exist_ok=True)
    for name, text in FILES.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text, encoding="utf-8")
    certificates = sorted((tree / _CERTIFICATES).glob("*.crt"))
    if certificates:
        bundle = "".join(path.read_text(encoding="utf-8").rstrip("\n") + "\n" for path in certificates)
        (tree / _BUNDLE).write_text(bundle, encoding="utf-8")


def _remove_empty(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink() and not any(path.iterdir()):
            path.rmdir()
