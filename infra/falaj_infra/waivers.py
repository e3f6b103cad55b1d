"""The waiver file of a project: `falaj-waivers.yaml` beside its Pulumi.yaml.

    waivers:
      - rule: IAM-01
        resource: urn:pulumi:prod::acme::aws:eks/cluster:Cluster::ml
        reason: the private endpoint comes with the new link
        expires: 2027-01-31
        approved_by: [approver@acme.example]

Who wrote an entry is asked of git, by its commits: a name that a `.mailmap` gives is nobody's. Where there is a
repository and it does not tell, the entry waives nothing; where there is none, every output says so. Who approved it is
a name that somebody typed: what stands behind it is the review of the commit, so the file belongs under code owners.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from falaj_infra.errors import WaiverError
from falaj_policies.waivers import FILE, Judged, Problem, Waived, Waiver, apply_waivers, parse

__all__ = ["FILE", "Waivers", "load", "today"]

_LARGEST: Final = 1 << 20
_ODD_BREAK: Final = re.compile("[\x85\u2028\u2029]|\r(?!\n)")
_PROOF: Final = (
    f"not proven: the approvers in {FILE} are typed names; what proves an approval is the review of its commit, so "
    "protect the file with code owners and required reviews"
)

F = TypeVar("F", bound=Judged)


@dataclass(frozen=True)
class Waivers:
    """A project's waivers, what is wrong with the entries that are none, and what all of it does not prove.

    `proof` is empty where there are no waivers.
    """

    waivers: tuple[Waiver, ...] = ()
    problems: tuple[Problem, ...] = ()
    proof: str = ""

    def split(
        self, findings: Iterable[F], today: date, all_stacks: bool = False
    ) -> tuple[list[F], list[Waived[F]], list[Problem]]:
        """The findings that stand, those that are waived, and every problem of the file.

        `all_stacks` says that the findings are those of every stack, so that an unused waiver is a problem too.
        """
        standing, waived, problems = apply_waivers(findings, self.waivers, today, complete=all_stacks)
        return standing, waived, sorted([*self.problems, *problems], key=lambda problem: problem.line)


def today() -> date:
    """The day by which waivers expire: that of UTC, wherever the machine is."""
    return datetime.now(UTC).date()


def load(root: Path) -> Waivers:
    """The waivers of the project in `root`, none where it has no waiver file.

    Raises WaiverError: there is a file and it cannot be read.
    """
    file = root / FILE
    if not os.path.lexists(file):
        return Waivers()
    if file.is_symlink():
        raise WaiverError(f"{FILE}: is a link, whose history is not that of the text: put the file itself there")
    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise WaiverError(f"{FILE}: larger than {_LARGEST >> 20} MiB")
        document, lines, written = _read(content.decode("utf-8"))
    except OSError as error:
        raise WaiverError(f"{FILE}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise WaiverError(f"{FILE}: cannot be read: not UTF-8") from None
    waivers, problems = parse(document, lines)
    if not waivers:
        return Waivers(waivers, problems, _PROOF if problems else "")
    authors, unknown = _authors(file)
    # By the line of the entry: two entries of one line share their authors.
    spans: dict[int, set[int]] = {}
    for first, span in zip(lines, written, strict=True):
        spans.setdefault(first, set()).update(span)
    known = tuple(
        replace(
            waiver,
            authors=tuple(sorted({name for line in spans[waiver.line] for name in authors(line).names})),
            unproven=next((authors(line).unknown for line in sorted(spans[waiver.line]) if authors(line).unknown), ""),
        )
        for waiver in waivers
    )
    return Waivers(known, problems, f"{_PROOF}; {unknown}" if unknown else _PROOF)


# Reading: every scalar stays text, so that no value is anything but what stands there.


def _read(text: str) -> tuple[object, list[int], list[set[int]]]:
    """The document, and of each entry of `waivers` the first line and all lines. Raises WaiverError."""
    import yaml

    if _ODD_BREAK.search(text):
        # YAML would count other lines than git does, and an entry would be of whoever wrote another one.
        raise WaiverError(f"{FILE}: cannot be read: a line ends in something else than a line feed")
    try:
        root = yaml.compose(text, Loader=yaml.BaseLoader)
        document = None if root is None else _plain(root, set())
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise WaiverError(f"{FILE}{line}: cannot be read: not valid YAML") from None
    except (RecursionError, ValueError):
        raise WaiverError(f"{FILE}: cannot be read: not valid YAML") from None
    entries: list[Any] = []
    if isinstance(root, yaml.MappingNode):
        for key, value in root.value:
            if key.value == "waivers" and isinstance(value, yaml.SequenceNode):
                entries = value.value
    return document, [node.start_mark.line + 1 for node in entries], [set(_written(node)) for node in entries]


def _written(node: Any) -> Iterator[int]:
    """The lines of the text in a node."""
    import yaml

    if isinstance(node, yaml.ScalarNode):
        # The end of a block of text is at the start of the line after it.
        yield from range(node.start_mark.line + 1, node.end_mark.line + (2 if node.end_mark.column else 1))
    for item in node.value if isinstance(node, yaml.CollectionNode) else ():
        for part in item if isinstance(item, tuple) else (item,):
            yield from _written(part)


def _plain(node: Any, seen: set[int]) -> object:
    """A node as mappings, lists and text. Raises WaiverError: a key that is twice or no text, or an alias."""
    import yaml

    if id(node) in seen:
        raise WaiverError(f"{FILE}, line {node.start_mark.line + 1}: cannot be read: write it out instead of an alias")
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, seen) for item in node.value]
    if not isinstance(node, yaml.MappingNode):
        return str(node.value)
    made: dict[str, object] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.value in made:
            raise WaiverError(f"{FILE}, line {key.start_mark.line + 1}: cannot be read: a key that is twice or no text")
        made[str(key.value)] = _plain(value, seen)
    return made


# Authors


@dataclass(frozen=True)
class _Written:
    """Names and addresses of who wrote a line, or why the history does not tell."""

    names: frozenset[str] = frozenset()
    unknown: str = ""


def _authors(file: Path) -> tuple[Callable[[int], _Written], str]:
    """Who wrote a line of the file, and where there is no history at all, that the authors are not compared."""
    root = file.parent.resolve()
    if not any(os.path.lexists(folder / ".git") for folder in (root, *root.parents)):
        nobody = _Written()
        return lambda _line: nobody, "their authors were not compared with their approvers: no git history here"
    shallow = _git(root, "rev-parse", "--is-shallow-repository")
    if shallow is None or shallow.strip() not in ("true", "false"):
        silent = _Written(unknown="git does not answer here, see that it is installed and the checkout is this user's")
        return lambda _line: silent, ""
    # No setting of this checkout hides the first commits or passes over others.
    blame = _git(root, "-c", "blame.showRoot=false", "blame", "--ignore-revs-file=", "--porcelain", "--no-textconv",
                 "--", file.name) or ""  # fmt: skip
    lines, first = _lines_of(blame)
    named = _named(root, set(lines.values()))
    if shallow.strip() == "true":
        # The first commit that is here has all that was written before it, too.
        named |= dict.fromkeys(first, _Written(unknown="the checkout is shallow, fetch the whole history"))
    uncommitted = _Written(unknown="it is not committed yet")
    return lambda line: named[lines[line]] if line in lines else uncommitted, ""


def _lines_of(blame: str) -> tuple[dict[int, str], set[str]]:
    """The commit of each committed line, out of git's porcelain format, and those commits that have no parent here."""
    lines: dict[int, str] = {}
    first: set[str] = set()
    commit = ""
    for text in blame.split("\n"):
        word, _, rest = text.partition(" ")
        if re.fullmatch(r"[0-9a-f]{40,64}", word):
            commit = word
            lines[int(rest.split()[1])] = commit
        elif text == "boundary":
            first.add(commit)
    return {line: commit for line, commit in lines.items() if commit.strip("0")}, first


def _named(root: Path, commits: set[str]) -> dict[str, _Written]:
    """The authors as the commits themselves name them."""
    found = dict.fromkeys(commits, _Written(unknown="git does not name the author of its commit"))
    if commits:
        told = _git(root, "-c", "log.showSignature=false", "show", "-s", "--no-mailmap", "--encoding=UTF-8",
                    "--format=%H%x00%an%x00%ae", *sorted(commits)) or ""  # fmt: skip
        for line in told.split("\n"):
            commit, *names = line.split("\0")
            if commit in found and any(names):
                found[commit] = _Written(frozenset(names) - {""})
    return found


def _git(root: Path, *arguments: str) -> str | None:
    """What git says, None where there is no git, or no answer."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    environment |= {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_REPLACE_OBJECTS": "1", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None
