"""The replica's state: what is wanted, what is served, what was refused. One thread moves it, many read it.

A model is swapped by one assignment after it has been verified and loaded, so that a request sees the old or the new
one, whole. While a version is refused or cannot be verified, the verified one before it goes on being served.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from falaj.deployment import desired_of
from falaj.errors import FalajError, GateRefused
from falaj.serving.model import Model
from falaj_policies import RULE_SET_VERSION

__all__ = ["LastServed", "Record", "Replica", "State", "last_served"]

Record = Callable[[str, str, Mapping[str, Any]], None]
LastServed = Callable[[], Mapping[str, str] | None]
_FIRST_RETRY: Final = 1.0
_LAST_RETRY: Final = 30.0


class Loads(Protocol):
    def load(self, desired: Mapping[str, str]) -> Model: ...


@dataclass(frozen=True, slots=True)
class State:
    """`observed` is the resourceVersion of the desired state last acted on; `problem` an outage, as one line."""

    observed: str = ""
    desired: Mapping[str, str] | None = None
    model: Model | None = None
    since: str = ""
    refused: Mapping[str, Any] | None = None
    problem: str = ""

    @property
    def data(self) -> dict[str, Any]:
        served = None
        if self.model is not None:
            served = {
                "model": self.model.name,
                "version": self.model.version,
                "digest": self.model.digest,
                "since": self.since,
            }
        return {
            "observed": self.observed,
            "desired": self.desired,
            "served": served,
            "refused": self.refused,
            "problem": self.problem,
            "rule_set": RULE_SET_VERSION,
        }


class Replica:
    """`read_desired` gives the ConfigMap `serving`; `record` appends to the audit log or raises FalajError.

    `last_served` says what this replica served last, before it was restarted: when what is wanted is refused, that goes
    on being served, after it has been verified like anything else. Once nothing was wanted, nothing comes back by
    itself: neither in this process nor, since the end of serving is recorded, in one after it.
    """

    def __init__(
        self,
        read_desired: Callable[[], Mapping[str, Any]],
        loader: Loads,
        record: Record,
        last_served: LastServed,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read_desired = read_desired
        self._loader = loader
        self._record = record
        self._last_served = last_served
        self._clock = clock
        self._retry_at = 0.0
        self._retry_after = _FIRST_RETRY
        self._alive_at = clock()
        # What stays wrong after the desired state was acted on, and whether falling back is to be tried again.
        self._note = ""
        self._fall_back_again = False
        # Whether nothing was wanted since something was loaded, and whether the audit log is known to say so.
        self._ended = False
        self._end_recorded = False
        self.state = State()

    @property
    def alive(self) -> bool:
        """Whether the loop still turns."""
        return self._clock() - self._alive_at < 300.0

    def tick(self) -> None:
        """One look at the desired state; acts if it changed, or if an earlier attempt is due again. Never raises."""
        self._alive_at = self._clock()
        try:
            config_map = self._read_desired()
            observed = str(config_map["metadata"]["resourceVersion"])
            desired = desired_of(config_map)
        except FalajError as error:
            self.state = replace(self.state, problem=f"the desired state cannot be read: {error}")
            return
        except (KeyError, TypeError):
            self.state = replace(self.state, problem="the desired state is malformed")
            return
        changed = desired != (self.state.desired or {})
        # Asked for again after a refusal: an approval may have come since.
        changed = changed or (self.state.refused is not None and observed != self.state.observed)
        if not changed and self._settled(desired):
            self.state = replace(self.state, observed=observed, problem=self._note)
        elif changed or self._clock() >= self._retry_at:
            self._act(observed, desired, fresh=changed)

    def _settled(self, desired: Mapping[str, str]) -> bool:
        if not desired:
            return self.state.model is None and self._end_recorded
        return _same(self.state.model, desired) or (self.state.refused is not None and not self._fall_back_again)

    def _act(self, observed: str, desired: Mapping[str, str], *, fresh: bool) -> None:
        self._note, self._fall_back_again = "", False
        if fresh:
            self._retry_after = _FIRST_RETRY
        if not desired:
            self._unload(observed)
            return
        if _same(self.state.model, desired):
            # Back to what is served already: it was verified and has not left memory.
            self.state = replace(self.state, observed=observed, desired=desired, refused=None, problem="")
            return
        self.state = replace(self.state, desired=desired, refused=None, problem="")
        if self._ended and not self._record_end():
            return
        try:
            model = self._load(desired)
        except GateRefused as error:
            self._refuse(observed, desired, error)
        except FalajError as error:
            self._later(f"{desired['model']} version {desired['version']} cannot be verified now: {error}")
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not pass and must not end the loop
            self._later(f"{desired['model']} version {desired['version']} could not be loaded ({type(error).__name__})")
        else:
            self.state = State(observed=observed, desired=desired, model=model, since=_now())

    def _load(self, desired: Mapping[str, str]) -> Model:
        model = self._loader.load(desired)
        # Recorded before it serves: what is not in the log did not happen, so it must not happen either.
        detail = {"model": model.name, "version": model.version, "rule_set": RULE_SET_VERSION}
        self._record("serving.loaded", model.digest, detail)
        self._ended = self._end_recorded = False
        return model

    def _refuse(self, observed: str, desired: Mapping[str, str], error: GateRefused) -> None:
        findings = [{"rule": f.rule, "message": f.message, "remedy": f.remedy} for f in error.findings]
        refused = {**desired, "findings": findings}
        self.state = replace(self.state, observed=observed, refused=refused, problem="")
        detail = {"model": desired["model"], "version": desired["version"], "rules": list(error.rules)}
        try:
            self._record("serving.refused", desired["digest"], detail)
        except FalajError as problem:
            # The refusal stands whether or not it could be recorded.
            self._remark(f"the refusal could not be recorded: {problem}")
        if self.state.model is None and not self._ended:
            self._fall_back(desired)

    def _fall_back(self, refused: Mapping[str, str]) -> None:
        try:
            last = self._last_served()
            if last is not None and dict(last) != dict(refused):
                self.state = replace(self.state, model=self._load(last), since=_now())
        except GateRefused as error:
            self._remark(f"what was served before is refused now: {error}")
        except Exception as error:  # noqa: BLE001 - an outage, or whatever it is: nothing passes, and it is tried again
            reason = error if isinstance(error, FalajError) else type(error).__name__
            self._later(f"what was served before cannot be served again now: {reason}")
            self._fall_back_again = True

    def _remark(self, note: str) -> None:
        self._note = note
        self.state = replace(self.state, problem=note)

    def _unload(self, observed: str) -> None:
        # It ends at once, whatever the audit service does; the record follows.
        self.state = State(observed=observed)
        self._ended = True
        self._record_end()

    def _record_end(self) -> bool:
        """Sees to it that the log does not name anything as served last, or has it tried again."""
        if not self._end_recorded:
            try:
                last = self._last_served()
                if last is not None:
                    self._record(
                        "serving.unloaded", last["digest"], {"model": last["model"], "version": last["version"]}
                    )
            except Exception as error:  # noqa: BLE001 - an outage, or whatever it is: it is tried again
                reason = error if isinstance(error, FalajError) else type(error).__name__
                self._later(f"the end of serving could not be recorded: {reason}")
                return False
            self._end_recorded = True
        return True

    def _later(self, problem: str) -> None:
        self.state = replace(self.state, problem=problem)
        self._retry_at = self._clock() + self._retry_after
        self._retry_after = min(self._retry_after * 2, _LAST_RETRY)


def last_served(records: Iterable[Mapping[str, Any]], actor: str) -> dict[str, str] | None:
    """What `actor` (the replica's account) served last by the audit log; None if nothing, or if serving was ended."""
    last: dict[str, str] | None = None
    for record in records:
        if record["actor"] != actor:
            continue
        if record["action"] == "serving.unloaded":
            last = None
        elif record["action"] == "serving.loaded":
            detail = record["detail"]
            last = {"model": detail["model"], "version": detail["version"], "digest": record["subject"]}
    return last


def _same(model: Model | None, desired: Mapping[str, str]) -> bool:
    return model is not None and (model.name, model.version, model.digest) == (
        desired["model"],
        desired["version"],
        desired["digest"],
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
