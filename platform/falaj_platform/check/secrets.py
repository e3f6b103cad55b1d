"""Secrets in a project's files, found by detect-secrets' detectors. What is found is never shown, only where it is.

The detectors are applied to a whole file at once, and each line that one of them stops at is looked at closely: that
is thirty times faster than line by line. None of them asks a server whether a secret is real. What is not looked at,
and what is marked as no secret, is said with the result.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

__all__ = ["FoundSecret", "Secrets", "find_secrets", "hidden"]

_LARGEST: Final = 1 << 20
# Not secrets (addresses), or services that nobody names here; each is slow.
_LEFT_OUT: Final = frozenset(
    {"IPPublicDetector", "CloudantDetector", "IbmCloudIamDetector", "IbmCosHmacDetector", "SoftlayerDetector"}
)
# Files of digests, and nothing else, by the names that their tools give them.
_LOCKS: Final = frozenset(
    {
        *("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pylock.toml", "Cargo.lock", "flake.lock", "go.sum"),
        *("package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", ".terraform.lock.hcl"),
    }
)
_ALLOWED: Final = re.compile(r"pragma:\s?allowlist[ -]secret")
_NEXT_ALLOWED: Final = re.compile(r"pragma:\s?allowlist[ -]nextline[ -]secret")
# What a telling name holds, in lower case: the detector itself looks only at lines with one of these.
_HINTS: Final = (
    *(
        f"{of}{joint}key"
        for of in ("api", "auth", "service", "account", "db", "database", "client")
        for joint in ("", "_")
    ),
    *("privkey", "priv_key", "privatekey", "private_key"),
    *(f"{of}{joint}pass" for of in ("db", "database", "key") for joint in ("", "_")),
    *("password", "passwd", "pwd", "secret", "contrase"),
)
# A value without quotes, as YAML, TOML and environment files write it: detectors of entropy want quotes.
_BARE: Final = re.compile(
    r"^([ \t]*(?:-[ \t]+|export[ \t]+)?[\w.:/-]*[\w-][ \t]*[:=][ \t]*)([A-Za-z0-9+/=_-]{16,})[ \t]*\r?(?:#.*)?$",
    re.MULTILINE,
)
_BARE_SUFFIXES: Final = frozenset({".yaml", ".yml", ".toml", ".env", ".ini", ".cfg", ".conf", ".properties", ".tfvars"})

# Of a longer line only what is around a telling name is looked at: the detector's expressions are slow on them.
_LONGEST: Final = 2000
_AROUND: Final = (100, 400)
_SHOWN: Final = 5
_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

_TOKEN: Final = re.compile(r"[A-Za-z0-9+/=_-]{16,}")
_SPOKEN: Final = re.compile(
    r"(?i)((?:password|passwd|pwd|secret|token|api_?key|access_?key)[\w-]{0,16}[\"']?\s*(?:=|:|\bis\b)\s*)[^\s,;)]+"
)

# What only looks like one.
_DIGEST: Final = re.compile(
    r"(?i)(?:sha-?\d{1,3}\W[\"']?|(?:hash|digest|checksum|integrity|fingerprint|commit|revision|secure|encryptionsalt|"
    r"encryptedkey|ciphertext|magic)[\w-]{0,12}[\"']?\s*[:=]\s*[\"']?)$"
)
_ENVIRONMENT_NAME: Final = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
_PATH: Final = re.compile(r"/?[a-z0-9_{}<>.*-]+(?:/[a-z0-9_{}<>.*-]+)+/?")
# Not one with a password in it: the detector of those finds it.
_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]*://")
_SETTING: Final = re.compile(
    r"(?i)(?:en|dis)abled?|true|false|none|null|yes|no|required|optional|manual|auto(?:matic)?"
)
# Pulumi's own markers of secrets and resource references in state and on the wire: published constants.
_PUBLISHED: Final = frozenset(
    {
        "4dabf18193072939515e22adb298388d",  # pragma: allowlist secret
        "1b47061264138c4ac30d75fd1eb44270",  # pragma: allowlist secret
        "5cf8f73096256a8f31e491e813e4eb8e",  # pragma: allowlist secret
    }
)


@dataclass(frozen=True, slots=True)
class FoundSecret:
    """Where a secret is, and of what kind (`AWS Access Key`); `line` counts from 1."""

    file: str
    line: int
    kind: str


@dataclass(frozen=True, slots=True)
class Secrets:
    """What was found; `left_out` says which files could not be looked at, `notes` which are none, or said to be."""

    found: tuple[FoundSecret, ...]
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def find_secrets(root: Path, files: Iterable[Path]) -> Secrets:
    """The secrets in these text files, by file and line. A line with `pragma: allowlist secret` is counted alone."""
    found: set[FoundSecret] = set()
    allowed: set[str] = set()
    passed: dict[str, list[str]] = {}
    for path in files:
        name = path.relative_to(root).as_posix()
        text, reason = _text(path)
        if reason:
            passed.setdefault(reason, []).append(name)
        for line, kind, is_allowed in _in(text, path):
            if is_allowed:
                allowed.add(f"{name}:{line}")
            else:
                found.add(FoundSecret(name, line, kind))
    left_out = [
        f"secrets in {_files(passed[reason])} {why}"
        for reason, why in (("large", "of more than 1 MiB"), ("unread", "that cannot be read"))
        if reason in passed
    ]
    notes = [
        f"secrets are not looked for in {_files(passed[reason], kind)}"
        for reason, kind in (("binary", "binary "), ("lock", "lock "))
        if reason in passed
    ]
    if allowed:
        lines = "line is" if len(allowed) == 1 else "lines are"
        notes.append(f"{len(allowed)} {lines} marked `pragma: allowlist`, and would be a secret: {_names(allowed)}")
    order = sorted(found, key=lambda secret: (secret.file, secret.line, secret.kind))
    return Secrets(tuple(order), tuple(left_out), tuple(notes))


def _files(names: Sequence[str], kind: str = "") -> str:
    return f"{len(names)} {kind}file{'' if len(names) == 1 else 's'} ({_names(names)})"


def _names(names: Iterable[str]) -> str:
    shown = ["".join(char if char.isprintable() else "?" for char in name) for name in sorted(names)]
    return ", ".join(shown[:_SHOWN]) + (f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else "")


def hidden(text: str) -> str:
    """A program's complaint without what looks like a secret in it."""
    for _kind, patterns in _detectors():
        for pattern in patterns:
            text = pattern.sub("[hidden]", text)
    for _kind, pattern, entropy, limit in _entropies():

        def hide(match: re.Match[str], pattern: Any = pattern, entropy: Any = entropy, limit: float = limit) -> str:
            value = match[0]
            return "[hidden]" if pattern.fullmatch(f'"{value}"') and _random(value, entropy, limit) else value

        text = _TOKEN.sub(hide, text)
    return _SPOKEN.sub(r"\1[hidden]", text)


def _text(path: Path) -> tuple[str, str]:
    """A file's text, and why there is none: it is `large`, `unread`, `binary` or a `lock`."""
    if path.name in _LOCKS or path.name.endswith(".lock.json"):
        return "", "lock"
    try:
        if path.stat().st_size > _LARGEST:
            return "", "large"
        content = path.read_bytes()
    except OSError:
        return "", "unread"
    encoding = _encoding(content)
    return (content.decode(encoding, errors="replace"), "") if encoding else ("", "binary")


def _encoding(content: bytes) -> str:
    """UTF-8, or UTF-16 as Windows' tools write it, with a mark or without one; empty for what is no text."""
    if content.startswith(_UTF_16):
        return "utf-16"
    start = content[:8192]
    if b"\0" not in start:
        return "utf-8-sig"
    # Latin letters in UTF-16 have a zero in every other place, and none in the others.
    for name, zeros, letters in (("utf-16-le", start[1::2], start[::2]), ("utf-16-be", start[::2], start[1::2])):
        if zeros.count(0) > 0.8 * len(zeros) and 0 not in letters:
            return name
    return ""


def _in(text: str, path: Path) -> Iterator[tuple[int, str, bool]]:
    """Line and kind of what looks like a secret, and whether it is marked as none."""
    lines = text.split("\n")
    for number, kind in sorted({(_number(text, at), kind) for at, kind in _suspects(text, path)}):
        line = lines[number - 1]
        before = lines[number - 2] if number > 1 else ""
        yield number, kind, bool(_ALLOWED.search(line) or _NEXT_ALLOWED.search(before))


def _number(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _suspects(text: str, path: Path) -> Iterator[tuple[int, str]]:
    """Where in the text a secret is, and its kind."""
    for kind, patterns in _detectors():
        for pattern in patterns:
            for match in pattern.finditer(text):
                value = next((part for part in match.groups() if part), match[0]) if match.groups() else match[0]
                if value in {"'", '"'} or not _innocent(value, match.start(), text):
                    yield match.start(), kind
    for kind, pattern, entropy, limit in _entropies():
        for match in pattern.finditer(text):
            if _random(match[2], entropy, limit) and not _innocent(match[2], match.start(2), text):
                yield match.start(2), kind
        if _is_bare(path):
            for match in _BARE.finditer(text):
                quoted = pattern.fullmatch(f'"{match[2]}"')
                if quoted and _random(match[2], entropy, limit) and not _innocent(match[2], match.start(2), text):
                    yield match.start(2), kind
    yield from _keyed(text, path)


def _is_bare(path: Path) -> bool:
    """Whether a file's values are written without quotes."""
    return path.suffix in _BARE_SUFFIXES or path.name.startswith(".env")


def _random(value: str, entropy: Callable[[str], float], limit: float) -> bool:
    # A text of n characters has log2(n) bits at most: most are ruled out by their length.
    return len(value) >= 2**limit and entropy(value) > limit


def _keyed(text: str, path: Path) -> Iterator[tuple[int, str]]:
    """Values whose names say that they are secrets."""
    from detect_secrets.plugins import keyword
    from detect_secrets.util.filetype import determine_file_type

    groups = (
        keyword.CONFIG_DENYLIST_REGEX_TO_GROUP
        if _is_bare(path)
        else keyword.REGEX_BY_FILETYPE.get(
            determine_file_type(str(path)), keyword.QUOTES_REQUIRED_DENYLIST_REGEX_TO_GROUP
        )
    )
    detector = keyword.KeywordDetector()
    for start, end in sorted(_hinted(text.lower() if text.isascii() else _lowered(text))):
        line = text[start:end]
        for value in detector.analyze_string(line, groups):
            if _is_bare(path):
                # Without quotes a comment behind the value is taken for a part of it.
                value = re.split(r"\s+#", value, maxsplit=1)[0]
            at = start + max(line.find(value), 0)
            if value and not _innocent(value, at, text) and not _named(value, line):
                yield at, detector.secret_type


def _hinted(lower: str) -> set[tuple[int, int]]:
    """Where the lines that hold a telling name start and end; of a long one, what is around the name."""
    spans = set()
    for hint in _HINTS:
        at = lower.find(hint)
        while at >= 0:
            start, end = lower.rfind("\n", 0, at) + 1, lower.find("\n", at)
            end = len(lower) if end < 0 else end
            if end - start <= _LONGEST:
                spans.add((start, end))
                at = lower.find(hint, end)
            else:
                spans.add((max(start, at - _AROUND[0]), min(end, at + _AROUND[1])))
                at = lower.find(hint, at + len(hint))
    return spans


def _lowered(text: str) -> str:
    """In lower case and of the same length: some letters have none of one character."""
    return "".join(lower if len(lower := character.lower()) == 1 else character for character in text)


def _named(value: str, line: str) -> bool:
    """Whether a value beside a telling name is the name of something, or comes from elsewhere."""
    from detect_secrets.filters import heuristic

    return bool(
        len(value) < 4
        or _SETTING.fullmatch(value)
        or _ENVIRONMENT_NAME.fullmatch(value)
        or _PATH.fullmatch(value)
        or _ADDRESS.match(value)
        or re.search(r"[\s()\[\]{}<>$]", value)
        or heuristic.is_indirect_reference(line)
        or re.search(r"(?i)(?:secret|key)_?(?:name|ref|path|type|id|arn|class|provider|ur[il]|version)\b", line)
    )


def _innocent(value: str, at: int, text: str) -> bool:
    """Whether something that looks like a secret is known to be none."""
    from detect_secrets.filters import heuristic

    before = text[text.rfind("\n", 0, at) + 1 : at]
    return bool(
        value in _PUBLISHED
        or _DIGEST.search(before)
        or heuristic.is_sequential_string(value)
        or heuristic.is_templated_secret(value)
        or heuristic.is_prefixed_with_dollar_sign(value)
        or heuristic.is_not_alphanumeric_string(value)
        or heuristic.is_potential_uuid(value)
        or len(set(value)) < 4
    )


@cache
def _detectors() -> Sequence[tuple[str, Sequence[re.Pattern[str]]]]:
    """Kind and patterns of the detectors of credentials that have a form of their own."""
    return [
        (plugin.secret_type, tuple(plugin.denylist))
        for plugin in _plugins()
        if hasattr(plugin, "denylist") and type(plugin).__name__ not in _LEFT_OUT
    ]


@cache
def _entropies() -> Sequence[tuple[str, re.Pattern[str], Callable[[str], float], float]]:
    """Kind, pattern, measure and threshold of the detectors of random text."""
    return [
        (plugin.secret_type, plugin.regex, plugin.calculate_shannon_entropy, plugin.entropy_limit)
        for plugin in _plugins()
        if hasattr(plugin, "entropy_limit")
    ]


@cache
def _plugins() -> Sequence[Any]:
    from detect_secrets.settings import default_settings, get_plugins

    with default_settings():
        return tuple(get_plugins())
