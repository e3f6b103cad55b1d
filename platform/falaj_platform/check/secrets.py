"""Secrets in a project's files, found by detect-secrets' detectors. What is found is never shown, only where it is.

The detectors are applied to a whole file at once, and each line that one of them stops at is looked at closely: that
is thirty times faster than line by line. None of them asks a server whether a secret is real.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

__all__ = ["FoundSecret", "find_secrets", "hidden"]

_LARGEST: Final = 1 << 20
# Not secrets (addresses), or services that nobody names here; each is slow.
_LEFT_OUT: Final = frozenset(
    {"IPPublicDetector", "CloudantDetector", "IbmCloudIamDetector", "IbmCosHmacDetector", "SoftlayerDetector"}
)
_LOCKS: Final = (".lock", ".lock.json", "package-lock.json", "go.sum", ".sum")
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
_BARE: Final = re.compile(r"^(\s*(?:-\s+)?[\w.:/-]*[\w-]\s*[:=]\s+?)([A-Za-z0-9+/=_-]{16,})\s*(?:#.*)?$", re.MULTILINE)
_BARE_SUFFIXES: Final = frozenset({".yaml", ".yml", ".toml", ".env", ".ini", ".cfg", ".conf", ".properties", ".tfvars"})

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


def find_secrets(root: Path, files: Iterable[Path]) -> list[FoundSecret]:
    """The secrets in these text files, by file and line. A line with `pragma: allowlist secret` is passed over."""
    found: set[FoundSecret] = set()
    for path in files:
        if path.name.endswith(_LOCKS):
            continue
        text = _text(path)
        if text:
            name = path.relative_to(root).as_posix()
            found.update(FoundSecret(name, line, kind) for line, kind in _in(text, path))
    return sorted(found, key=lambda secret: (secret.file, secret.line, secret.kind))


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


def _text(path: Path) -> str:
    """A file's text, empty for what is none or is too large to be written by hand."""
    try:
        if path.stat().st_size > _LARGEST:
            return ""
        content = path.read_bytes()
    except OSError:
        return ""
    return "" if b"\0" in content[:8192] else content.decode("utf-8", errors="replace")


def _in(text: str, path: Path) -> Iterator[tuple[int, str]]:
    lines = text.split("\n")
    for number, kind in sorted({(_number(text, at), kind) for at, kind in _suspects(text, path)}):
        line = lines[number - 1]
        before = lines[number - 2] if number > 1 else ""
        if not (_ALLOWED.search(line) or _NEXT_ALLOWED.search(before)):
            yield number, kind


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
        if path.suffix in _BARE_SUFFIXES or path.name.startswith(".env"):
            for match in _BARE.finditer(text):
                quoted = pattern.fullmatch(f'"{match[2]}"')
                if quoted and _random(match[2], entropy, limit) and not _innocent(match[2], match.start(2), text):
                    yield match.start(2), kind
    yield from _keyed(text, path)


def _random(value: str, entropy: Callable[[str], float], limit: float) -> bool:
    # A text of n characters has log2(n) bits at most: most are ruled out by their length.
    return len(value) >= 2**limit and entropy(value) > limit


def _keyed(text: str, path: Path) -> Iterator[tuple[int, str]]:
    """Values whose names say that they are secrets."""
    from detect_secrets.plugins import keyword
    from detect_secrets.util.filetype import determine_file_type

    groups = keyword.REGEX_BY_FILETYPE.get(
        determine_file_type(str(path)), keyword.QUOTES_REQUIRED_DENYLIST_REGEX_TO_GROUP
    )
    detector = keyword.KeywordDetector()
    for start in sorted(_hinted(text.lower() if text.isascii() else _lowered(text))):
        end = text.find("\n", start)
        line = text[start : end if end >= 0 else len(text)]
        if len(line) > 2000:
            continue
        for value in detector.analyze_string(line, groups):
            at = start + max(line.find(value), 0)
            if value and not _innocent(value, at, text) and not _named(value, line):
                yield at, detector.secret_type


def _hinted(lower: str) -> set[int]:
    """The starts of the lines that hold a telling name."""
    starts = set()
    for hint in _HINTS:
        at = lower.find(hint)
        while at >= 0:
            starts.add(lower.rfind("\n", 0, at) + 1)
            end = lower.find("\n", at)
            at = lower.find(hint, end) if end >= 0 else -1
    return starts


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
