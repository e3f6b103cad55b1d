"""Layers: the same tree is the same digest, whoever packs it; wheels leave no trace of the building machine."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from falaj_platform.errors import ToolError
from falaj_platform.image import bytecode, contents, wheels
from falaj_platform.image.lockfile import Wheel
from falaj_platform.image.tarball import pack


def make_tree(root: Path, names: list[str]) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 3)
    (root / "link").symlink_to(names[0])
    return root


def test_the_same_tree_gives_the_same_digest(tmp_path: Path) -> None:
    names = ["b/x", "b/ü", "a", "a.d/" + "long" * 40]
    first = make_tree(tmp_path / "one", names)
    old = os.umask(0o077)
    try:
        second = make_tree(tmp_path / "and two", names[:1] + names[:0:-1])
    finally:
        os.umask(old)
    os.utime(second / "a", (1, 1))
    assert pack(first, tmp_path / "1.tar") == pack(second, tmp_path / "2.tar")
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()


def test_another_byte_name_or_mode_gives_another_digest(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", ["a", "b"])
    seen = {pack(tree, tmp_path / "t.tar").digest}
    (tree / "a").write_bytes(b"bbb")
    seen.add(pack(tree, tmp_path / "t.tar").digest)
    (tree / "a").rename(tree / "c")
    seen.add(pack(tree, tmp_path / "t.tar").digest)
    (tree / "c").chmod(0o755)
    seen.add(pack(tree, tmp_path / "t.tar").digest)
    seen.add(pack(tree, tmp_path / "t.tar", {"b": (0o600, 5)}).digest)
    assert len(seen) == 5


def test_nothing_is_set_user_id_and_owners_are_fixed(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", ["bin/su", "tmp/x"])
    (tree / "bin/su").chmod(0o4755)
    blob = pack(tree, tmp_path / "t.tar", {"tmp": (0o1777, 0), "tmp/x": (0o600, 65532)})
    with tarfile.open(tmp_path / "t.tar") as archive:
        found = {member.name: (member.mode, member.uid, member.gid, member.mtime) for member in archive}
    assert found["bin/su"] == (0o755, 0, 0, contents.EPOCH)
    assert found["tmp"] == (0o1777, 0, 0, contents.EPOCH)
    assert found["tmp/x"] == (0o600, 65532, 65532, contents.EPOCH)
    assert blob.size == (tmp_path / "t.tar").stat().st_size


def test_requirements_pin_version_and_hash() -> None:
    wheel = Wheel(name="x", version="1.0", file="x-1.0-py3-none-any.whl", sha256="a" * 64, size=1)
    assert wheels.requirements([wheel]) == f"x==1.0 --hash=sha256:{'a' * 64}\n"


def installed(tree: Path) -> Path:
    """An environment as an installer leaves it, with one distribution."""
    packages = tree / contents.SITE_PACKAGES
    info = packages / "ray-1.dist-info"
    for path, text in {
        packages / "ray/__init__.py": "",
        packages / "ray/rllib/big.py": "",
        packages / "bin/ray": "#!/home/someone/python\n",
        info / "direct_url.json": '{"url": "file:///home/someone"}',
        info / "entry_points.txt": "[console_scripts]\nray = ray.scripts:main.run [cli]\nrllib = ray.rllib:cli\n",
        info / "RECORD": (
            "ray/rllib/big.py,sha256=x,0\nray/__init__.py,sha256=y,0\n../../bin/ray,sha256=z,9\n"
            "ray-1.dist-info/direct_url.json,sha256=w,9\nray-1.dist-info/RECORD,,\n"
        ),
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return packages


def test_what_the_installer_left_is_put_right(tmp_path: Path) -> None:
    packages = installed(tmp_path)
    wheels.environment(tmp_path)
    wheels.settle(tmp_path)
    assert not (packages / "bin").exists()
    assert not (packages / "ray/rllib").exists()
    assert not (packages / "ray-1.dist-info/direct_url.json").exists()
    record = (packages / "ray-1.dist-info/RECORD").read_text(encoding="utf-8")
    assert record == "ray-1.dist-info/RECORD,,\nray/__init__.py,sha256=y,0\n"


def test_only_the_named_programs_are_made_with_the_images_python(tmp_path: Path) -> None:
    installed(tmp_path)
    wheels.environment(tmp_path)
    wheels.settle(tmp_path)
    programs = tmp_path / contents.PREFIX / "bin"
    assert sorted(path.name for path in programs.iterdir()) == ["python", "python3", "ray"]
    text = (programs / "ray").read_text(encoding="utf-8")
    assert text.startswith("#!/opt/falaj/bin/python3\n")
    assert "from ray.scripts import main\n" in text
    assert "sys.exit(main.run())" in text
    assert os.access(programs / "ray", os.X_OK)
    files = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()]
    assert not [path for path in files if b"/home/someone" in path.read_bytes()]


def test_an_interpreter_that_does_not_run_is_one_line(tmp_path: Path) -> None:
    loader = tmp_path / "image" / contents.LOADER
    loader.parent.mkdir(parents=True)
    loader.write_text("#!/bin/sh\necho 'error: wrong machine' >&2\nexit 1\n", encoding="utf-8")
    loader.chmod(0o755)
    tree = make_tree(tmp_path / "tree", ["a.py"])
    with pytest.raises(ToolError, match="does not run on this machine: error: wrong machine"):
        bytecode.compile_tree(tree, tmp_path / "image")
