"""Compiles a tree's Python sources with the image's own interpreter, whatever Python the building machine has.

Without compiled files every start in a container with a read-only root would compile anew (Ray and MLflow: seconds).
The interpreter is run through the image's loader and libraries, so that no chroot and no root rights are needed. The
work is split in a fixed number of shards, each one process from beginning to end: the bytes then do not depend on how
many processors there are.
"""

from __future__ import annotations

import os
import subprocess
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from falaj_platform.errors import ToolError
from falaj_platform.image import process
from falaj_platform.image.contents import LIBRARY_FOLDER, LOADER, PYTHON

_SHARDS = 4
# Files that do not compile (templates, syntax of other versions) stay without; they did before.
_COMPILE = """
import py_compile, sys, warnings
warnings.simplefilter("ignore")
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
for line in sys.stdin:
    path = line.rstrip("\\n")
    try:
        py_compile.compile(path, dfile="/" + path, doraise=True, invalidation_mode=mode)
    except (py_compile.PyCompileError, UnicodeDecodeError, SyntaxError, ValueError):
        pass
"""


def compile_tree(tree: Path, interpreter: Path) -> int:
    """Write a `.pyc` beside every source under `tree`, with Python from the image tree `interpreter`; return how many.

    Raises ToolError if the interpreter does not run here.
    """
    sources = sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*.py") if not path.is_symlink())
    shards: list[list[str]] = [[] for _ in range(_SHARDS)]
    for name in sources:
        # By folder, so that a package's files stay together; by a checksum, because hash() differs from run to run.
        shards[zlib.crc32(os.path.dirname(name).encode()) % _SHARDS].append(name)
    with ThreadPoolExecutor(min(_SHARDS, os.cpu_count() or 1)) as pool:
        list(pool.map(lambda names: _compile(tree, interpreter, names), shards))
    return sum(1 for _ in tree.rglob("*.pyc"))


def _compile(tree: Path, interpreter: Path, names: Iterable[str]) -> None:
    command = [
        str(interpreter / LOADER),
        "--library-path",
        str(interpreter / LIBRARY_FOLDER),
        str(interpreter / f"usr/bin/python{PYTHON}"),
        "-S",
        "-s",
        "-B",
        "-c",
        _COMPILE,
    ]
    done = subprocess.run(
        command,
        input="".join(f"{name}\n" for name in names),
        cwd=tree,
        env={"PYTHONHOME": str(interpreter / "usr"), "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise ToolError(f"the image's Python does not run on this machine: {process.reason(done.stderr)}")
