"""The stack's state while a deployment changes it, on disk after every step.

Order matters to Pulumi: a resource stands after everything it refers to. Resources of this run are listed in the
order they were finished, then those of the last checkpoint that this run has not come to. Steps run in parallel, so
writes are grouped: one thread writes whatever has changed since its last write. A step starts only when the intent to
run it (`pending_operations`) is on disk, so its own outcome need not be awaited: until that is written, the intent
explains what a crash left behind.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from falaj_engine import state as states
from falaj_engine.errors import StateError
from falaj_engine.secrets import Crypter
from falaj_engine.state import ResourceState

ENGINE_VERSION = "v3.272.0"
# After a write the writer pauses this many times as long as it took, and no longer than that many seconds.
_SHARE, _LONGEST_PAUSE = 2.0, 0.2


@dataclass(frozen=True, slots=True)
class Pending:
    """An operation that was started and whose outcome is not recorded.

    kind: creating, updating, deleting, reading, importing.
    """

    kind: str
    state: ResourceState


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint, opened: its resources in order and the operations that were cut off."""

    stack: str
    resources: tuple[ResourceState, ...] = ()
    pending: tuple[Pending, ...] = ()
    secrets_providers: dict[str, Any] | None = None

    @property
    def root(self) -> ResourceState | None:
        """The stack's own resource, which carries the outputs."""
        return next(
            (state for state in self.resources if state.type == "pulumi:pulumi:Stack" and not state.delete), None
        )


def salt_of(document: dict[str, Any]) -> str | None:
    """The passphrase provider's state in a checkpoint. Raises StateError for another secrets provider."""
    provider = (document.get("checkpoint", {}).get("latest") or {}).get("secrets_providers")
    if provider is None:
        return None
    if provider.get("type") != "passphrase":
        raise StateError(
            f"the state's secrets provider is {provider.get('type')!r}: "
            "the embedded engine opens passphrase secrets; use the Pulumi CLI"
        )
    return str(provider["state"]["salt"])


def open_checkpoint(document: dict[str, Any], decrypt: Callable[[str], str]) -> Checkpoint:
    """The document's content. Raises StateError or PassphraseError."""
    try:
        checkpoint = document["checkpoint"]
        latest = checkpoint.get("latest") or {}
        return Checkpoint(
            checkpoint["stack"],
            tuple(states.decode(entry, decrypt) for entry in latest.get("resources") or ()),
            tuple(
                Pending(entry["type"], states.decode(entry["resource"], decrypt))
                for entry in latest.get("pending_operations") or ()
            ),
            latest.get("secrets_providers"),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise StateError(f"the checkpoint is not in Pulumi's format: {error!r}") from None


class Snapshot:
    """The mutable state of one deployment.

    write: puts a checkpoint's bytes on disk, or None in a preview. All methods may be called from any thread.
    """

    def __init__(self, checkpoint: Checkpoint, crypter: Crypter, write: Callable[[bytes], None] | None) -> None:
        self._stack = checkpoint.stack
        self._crypter = crypter
        self._write = write
        self._base: dict[int, ResourceState] = {id(state): state for state in checkpoint.resources}
        self._new: dict[str, ResourceState] = {}
        self._pending: dict[int, Pending] = dict(enumerate(checkpoint.pending))
        self._tokens = itertools.count(len(self._pending))
        self._encoded: dict[int, bytes] = {}
        self._lock = threading.Lock()
        self._dirty = threading.Condition(self._lock)
        self._saved = threading.Condition(self._lock)
        self._version = 0
        self._durable = 0
        self._failure: BaseException | None = None
        self._closing = False
        self._thread: threading.Thread | None = None
        if write is not None:
            self._thread = threading.Thread(target=self._writer, name="falaj-state", daemon=True)
            self._thread.start()

    # What is known

    def resources(self) -> list[ResourceState]:
        """All resources, in checkpoint order."""
        with self._lock:
            return [*self._new.values(), *self._base.values()]

    def pending(self) -> list[Pending]:
        """Operations without an outcome."""
        with self._lock:
            return list(self._pending.values())

    def current(self, urn: str) -> ResourceState | None:
        """What this run made of the URN, if it has come to it."""
        with self._lock:
            return self._new.get(urn)

    # What changes

    def begin(self, kind: str, state: ResourceState) -> int:
        """Record an intent; returns when it is on disk. The token ends it."""
        with self._lock:
            token = next(self._tokens)
            self._pending[token] = Pending(kind, state)
            self._encode(state)
            self._touch()
            version = self._version
        self._await(version)
        return token

    def commit(
        self,
        *,
        token: int | None = None,
        done: ResourceState | None = None,
        new: ResourceState | None = None,
        changed: Iterable[tuple[ResourceState, ResourceState]] = (),
        found: ResourceState | None = None,
    ) -> None:
        """Record an outcome: intent `token` ended, base state `done` gone, `new` finished, base states `changed` from
        one to another.

        found: an object that an earlier run left behind, to stand among the states this run has not come to.
        """
        with self._lock:
            if token is not None:
                ended = self._pending.pop(token, None)
                if ended is not None:
                    self._encoded.pop(id(ended.state), None)
            if done is not None:
                self._drop(done)
            if new is not None:
                if (before := self._new.get(new.urn)) is not None:
                    self._encoded.pop(id(before), None)
                self._new[new.urn] = new
                self._encode(new)
            for before, after in changed:
                self._swap(before, after)
            if found is not None:
                self._base[id(found)] = found
                self._encode(found)
            self._touch()

    def explain(self, pending: Iterable[Pending]) -> None:
        """Forget intents of an earlier run that this run has dealt with."""
        with self._lock:
            gone = {id(item) for item in pending}
            self._pending = {token: item for token, item in self._pending.items() if id(item) not in gone}
            self._touch()

    def rename(self, old: str, new: str) -> None:
        """A resource found under an alias: states not yet come to refer to it by its new URN."""
        with self._lock:
            for state in list(self._base.values()):
                after = state.renamed({old: new})
                if after is not state:
                    self._swap(state, after)

    def close(self) -> None:
        """Write what is left and stop. Raises the writer's failure."""
        if self._thread is None:
            return
        with self._lock:
            self._closing = True
            self._touch()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    # Inside

    def _drop(self, state: ResourceState) -> None:
        if self._new.get(state.urn) is state:
            del self._new[state.urn]
        else:
            state = self._base.pop(id(self._in_base(state)), state)
        self._encoded.pop(id(state), None)

    def _swap(self, before: ResourceState, after: ResourceState) -> None:
        if self._new.get(before.urn) is before:
            self._new[after.urn] = after
        else:
            before = self._in_base(before)
            self._base = {
                id(after) if key == id(before) else key: after if key == id(before) else state
                for key, state in self._base.items()
            }
        self._encoded.pop(id(before), None)
        self._encode(after)

    def _in_base(self, state: ResourceState) -> ResourceState:
        """The base entry meant by a state read earlier: a rename elsewhere may have replaced the object since."""
        if id(state) in self._base:
            return state
        same = (entry for entry in self._base.values() if entry.urn == state.urn and entry.delete == state.delete)
        return next(same, state)

    def _encode(self, state: ResourceState) -> bytes:
        if self._write is None:
            return b""
        encoded = self._encoded.get(id(state))
        if encoded is None:
            encoded = states.encode(state, self._crypter.encrypt).encode()
            self._encoded[id(state)] = encoded
        return encoded

    def _touch(self) -> None:
        self._version += 1
        self._dirty.notify()

    def _await(self, version: int) -> None:
        if self._write is None:
            return
        with self._lock:
            self._saved.wait_for(lambda: self._durable >= version or self._failure is not None)
            if self._failure is not None:
                raise StateError(f"the state cannot be written: {self._failure}")

    def _writer(self) -> None:
        assert self._write is not None
        while True:
            with self._lock:
                self._dirty.wait_for(lambda: self._version > self._durable or self._closing)
                version, closing = self._version, self._closing
                resources, pending = self._parts()
            started = time.monotonic()
            try:
                self._write(frame(self._stack, self._crypter, b",\n".join(resources), b",".join(pending)))
            except BaseException as error:  # noqa: BLE001 - handed to whoever waits
                with self._lock:
                    self._failure = error
                    self._saved.notify_all()
                return
            with self._lock:
                self._durable = version
                self._saved.notify_all()
                if closing and self._version == version:
                    return
            if not closing:
                # A large state takes long to write: let what happens meanwhile share the next write.
                time.sleep(min(_SHARE * (time.monotonic() - started), _LONGEST_PAUSE))

    def _parts(self) -> tuple[list[bytes], list[bytes]]:
        """Encoded resources and pending operations, in order."""
        resources = [self._encode(state) for state in itertools.chain(self._new.values(), self._base.values())]
        pending = [
            b'{"resource":' + self._encode(item.state) + b',"type":' + json.dumps(item.kind).encode() + b"}"
            for item in self._pending.values()
        ]
        return resources, pending


def frame(stack: str, crypter: Crypter, resources: bytes = b"", pending: bytes = b"") -> bytes:
    """A checkpoint around encoded resources and pending operations."""
    manifest = {
        "time": states.now(),
        "magic": hashlib.sha256(ENGINE_VERSION.encode()).hexdigest(),
        "version": ENGINE_VERSION,
    }
    head = json.dumps(
        {"manifest": manifest, "secrets_providers": {"type": crypter.type, "state": {"salt": crypter.state}}},
        separators=(",", ":"),
    )
    parts = [
        b'{"version":3,"checkpoint":{"stack":',
        json.dumps(f"{stack}").encode(),
        b',"latest":',
        head[:-1].encode(),
        b',"resources":[\n' + resources + b"\n]" if resources else b"",
        b',"pending_operations":[' + pending + b"]" if pending else b"",
        b',"metadata":{}}}}\n',
    ]
    return b"".join(parts)
