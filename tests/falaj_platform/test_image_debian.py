"""Debian packages: what apt says is understood, and only what the lock names is taken."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from falaj_platform.errors import FetchError
from falaj_platform.image import apt, contents, rootfs
from falaj_platform.image.lockfile import DebianLock, DebianPackage

CONTENT = b"a package"


def package(name: str = "bash", version: str = "5.2-1", content: bytes = CONTENT) -> DebianPackage:
    digest = hashlib.sha256(content).hexdigest()
    return DebianPackage(name=name, version=version, architecture="amd64", sha256=digest, size=len(content))


def lock(*packages: DebianPackage) -> DebianLock:
    return DebianLock(version=1, suite="bookworm", architecture="amd64", packages=packages)


def test_a_file_name_is_taken_apart_with_its_epoch() -> None:
    assert apt.parse_file_name("libattr1_1%3a2.5.1-4_amd64.deb") == ("libattr1", "1:2.5.1-4")


def test_every_stanza_with_a_hash_becomes_a_package() -> None:
    text = (
        "Package: bash\nVersion: 5.2-2\nArchitecture: amd64\nDescription: GNU\n more: text\nSize: 9\n"
        f"SHA256: {'a' * 64}\n"
        "\nPackage: virtual\nVersion: 1\n\n"
        f"Package: bash\nVersion: 5.2-1\nArchitecture: amd64\nSize: 8\nSHA256: {'b' * 64}\n"
    )
    assert [(each.version, each.size) for each in apt.parse_records(text)] == [("5.2-2", 9), ("5.2-1", 8)]


@pytest.mark.parametrize(
    ("sources", "mirror"),
    [
        ("deb http://mirror.test/debian bookworm main\n", "http://mirror.test/debian"),
        ("Types: deb\nURIs: https://mirror.test/pub/debian/\nSuites: x\n", "https://mirror.test/pub/debian"),
        ("deb [signed-by=/k] http://other.test/apt stable\ndeb http://m.test/debian x\n", "http://m.test/debian"),
        ("# deb http://old.test/debian x\n", None),
        ("deb http://mirror.test/debian-security x\n", None),
        ("", None),
    ],
)
def test_the_mirror_is_the_machines_own(sources: str, mirror: str | None) -> None:
    assert apt.find_mirror(sources) == mirror


def test_locked_versions_are_taken_where_the_mirror_has_them() -> None:
    locked = package()
    assert apt.settle(lock(locked), {"bash": [package(version="5.2-2"), locked]}) == ((locked,), ())


def test_a_version_that_is_gone_is_replaced_by_the_current_one_and_said() -> None:
    newer = package(version="5.2-2")
    taken, substitutes = apt.settle(lock(package()), {"bash": [newer, package(version="5.1-9")]})
    assert taken == (newer,)
    assert substitutes == (apt.Substitute("bash", "5.2-1", "5.2-2"),)


def test_the_same_version_with_another_content_is_refused() -> None:
    with pytest.raises(FetchError, match="is not the locked one"):
        apt.settle(lock(package()), {"bash": [package(content=b"another")]})


def test_a_package_that_the_mirror_does_not_have_is_refused() -> None:
    with pytest.raises(FetchError, match="no bash at all"):
        apt.settle(lock(package()), {})


def test_a_file_with_another_hash_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bash.deb"
    path.write_bytes(CONTENT)
    apt.accept(path, package())
    path.write_bytes(b"A package")
    with pytest.raises(FetchError, match="nothing was used"):
        apt.accept(path, package())


@pytest.mark.parametrize(
    ("name", "inside"),
    [
        ("./bin/bash", "usr/bin/bash"),
        ("./lib/x86_64-linux-gnu/libc.so.6", "usr/lib/x86_64-linux-gnu/libc.so.6"),
        ("./usr/bin/env", "usr/bin/env"),
        ("./etc/passwd", "etc/passwd"),
        ("./binary", "binary"),
        ("./bin/", None),
        ("./", None),
    ],
)
def test_usr_is_merged(name: str, inside: str | None) -> None:
    assert rootfs.merged(name) == inside


@pytest.mark.parametrize(
    ("name", "out"),
    [
        ("usr/share/doc/bash/copyright", False),
        ("usr/share/doc/bash/changelog.gz", True),
        ("usr/share/man/man1/bash.1.gz", True),
        ("usr/lib/postgresql/15/bin/postgres", False),
        ("usr/lib/postgresql/15/lib/bitcode/postgres/x.bc", True),
        ("usr/share/zoneinfo/Asia/Dubai", False),
    ],
)
def test_documentation_stays_out_and_licences_in(name: str, out: bool) -> None:
    assert rootfs.dropped(name) is out


def place(tree: Path, *members: tuple[tarfile.TarInfo, bytes]) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for member, content in members:
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    buffer.seek(0)
    with tarfile.open(fileobj=buffer) as archive:
        for member in archive:
            rootfs.place(archive, member, tree)


def info(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.mode = kind, link, mode
    return member


def test_files_links_and_modes_are_placed(tmp_path: Path) -> None:
    place(
        tmp_path,
        (info("./bin", tarfile.DIRTYPE), b""),
        (info("./bin/a", mode=0o4755), b"program"),
        (info("./bin/b", tarfile.LNKTYPE, "./bin/a"), b""),
        (info("./bin/c", tarfile.SYMTYPE, "a"), b""),
        (info("./usr/share/man/a.1"), b"page"),
    )
    programs = tmp_path / "usr/bin"
    assert (programs / "a").read_bytes() == (programs / "b").read_bytes() == (programs / "c").read_bytes() == b"program"
    assert (programs / "a").stat().st_mode & 0o7777 == 0o755
    assert not (tmp_path / "usr/share").exists()


def test_a_later_package_replaces_a_link_instead_of_writing_through_it(tmp_path: Path) -> None:
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    outside.write_bytes(b"mine")
    place(tree, (info("./etc/x", tarfile.SYMTYPE, str(outside)), b""), (info("./etc/x"), b"theirs"))
    assert outside.read_bytes() == b"mine"
    assert (tree / "etc/x").read_bytes() == b"theirs"


@pytest.mark.parametrize("name", ["../x", "./usr/../../x"])
def test_a_path_that_leaves_the_image_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(FetchError, match="leaves the image"):
        place(tmp_path / "tree", (info(name), b"x"))


def test_a_file_below_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    with pytest.raises(FetchError, match="below a link"):
        place(tmp_path / "tree", (info("./opt/x", tarfile.SYMTYPE, "../../outside"), b""), (info("./opt/x/y"), b"y"))
    assert not list((tmp_path / "outside").iterdir())


def test_a_device_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="neither file, folder nor link"):
        place(tmp_path, (info("./dev/sda", tarfile.BLKTYPE), b""))


def test_what_maintainer_scripts_would_make_is_there(tmp_path: Path) -> None:
    certificates = tmp_path / "usr/share/ca-certificates/mozilla"
    certificates.mkdir(parents=True)
    (certificates / "b.crt").write_text("B\n\n", encoding="utf-8")
    (certificates / "a.crt").write_text("A", encoding="utf-8")
    (tmp_path / "usr/bin").mkdir()
    (tmp_path / "usr/share/empty/deeper").mkdir(parents=True)
    rootfs.finish(tmp_path)
    assert (tmp_path / "etc/ssl/certs/ca-certificates.crt").read_text(encoding="utf-8") == "A\nB\n"
    assert f":{contents.USER_ID}:" in (tmp_path / "etc/passwd").read_text(encoding="utf-8")
    assert (tmp_path / "bin").readlink() == Path("usr/bin")
    assert (tmp_path / "usr/bin/python3").readlink() == Path("python3.11")
    assert (tmp_path / "tmp").is_dir()
    assert not (tmp_path / "usr/share/empty").exists()
