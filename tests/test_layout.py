"""The folder rules that nothing else would notice being broken."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_platform_is_a_folder_not_a_package() -> None:
    """With an __init__.py it would shadow the standard library's `platform` and break `import uuid`."""
    assert (ROOT / "platform" / "falaj_platform" / "__init__.py").is_file()
    assert not (ROOT / "platform" / "__init__.py").exists()


def test_no_test_folder_shadows_a_package() -> None:
    assert [str(path) for path in (ROOT / "tests").rglob("__init__.py")] == []
