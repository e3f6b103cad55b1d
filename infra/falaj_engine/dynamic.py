"""Dynamic resources (`pulumi.dynamic`): the provider is a pickled object in the resource's own properties, run in
this process.

The pickle comes from the program or from the stack's state, both of which this process trusts as it trusts the program.
"""

from __future__ import annotations

import base64
import copy
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from falaj_engine import diff as diffs
from falaj_engine import urn as urns
from falaj_engine.errors import StepError
from falaj_engine.provider import Checked, Difference, Live, Operation
from falaj_engine.snapshot import Pending
from falaj_engine.values import UNKNOWN, UNKNOWN_TEXT, Props, reveal, secrets_like

PROVIDER_KEY = "__provider"

_T = TypeVar("_T")


class DynamicProvider:
    """Runs every dynamic resource of a stack. config: the stack's configuration, full keys, secrets opened."""

    def __init__(self, config: Props, project: str) -> None:
        self._config = config
        self._project = project
        self._lock = threading.Lock()
        self._loaded: dict[str, Any] = {}

    def check(self, operation: Operation, olds: Props | None, news: Props) -> Checked:
        provider = self._provider(operation, news, olds)
        result = self._call(operation, "check", lambda: provider.check(_plain(olds or {}), _plain(news)))
        inputs = {**result.inputs, PROVIDER_KEY: news[PROVIDER_KEY]}
        failures = tuple((failure.property, failure.reason) for failure in result.failures or ())
        return Checked(secrets_like(_values(inputs), news), failures)

    def diff(self, operation: Operation, id: str, olds: Props, outputs: Props, news: Props) -> Difference:  # noqa: A002
        provider = self._provider(operation, news, outputs)
        result = self._call(operation, "diff", lambda: provider.diff(id, _plain(outputs), _plain(news)))
        paths = tuple(diffs.differences(olds, news))
        changed = bool(paths) if result.changes is None else bool(result.changes)
        replaces = tuple((key,) for key in result.replaces or ())
        return Difference(changed or bool(replaces), paths, replaces, bool(result.delete_before_replace))

    def create(self, operation: Operation, inputs: Props) -> Live:
        if operation.preview:
            return Live("", {})
        provider = self._provider(operation, inputs, None)
        result = self._call(operation, "create", lambda: provider.create(_plain(inputs)))
        if not result.id:
            raise StepError(f"{urns.short(operation.urn)}: the dynamic provider's create returned no id")
        return Live(str(result.id), self._outputs(result.outs, inputs))

    def read(self, operation: Operation, id: str, inputs: Props, outputs: Props) -> Live | None:  # noqa: A002
        provider = self._provider(operation, outputs or inputs, inputs)
        result = self._call(operation, "read", lambda: provider.read(id, _plain(outputs or inputs)))
        if not result.id:
            return None
        found = getattr(result, "inputs", None)
        live_inputs = None if found is None else self._outputs(found, inputs)
        return Live(str(result.id), self._outputs(result.outs, outputs or inputs), live_inputs)

    def update(self, operation: Operation, id: str, olds: Props, outputs: Props, news: Props) -> Props:  # noqa: A002
        if operation.preview:
            return {}
        provider = self._provider(operation, news, outputs)
        result = self._call(operation, "update", lambda: provider.update(id, _plain(outputs), _plain(news)))
        return self._outputs(result.outs, news)

    def delete(self, operation: Operation, id: str, inputs: Props, outputs: Props) -> None:  # noqa: A002
        provider = self._provider(operation, outputs, inputs)
        self._call(operation, "delete", lambda: provider.delete(id, _plain(outputs)))

    def recover(self, operation: Operation, pending: Pending) -> Live | None:
        # A dynamic provider offers no way to find what it made: creating must be repeatable, as Falaj's own are.
        return None

    @staticmethod
    def _outputs(outs: Props | None, inputs: Props) -> Props:
        marked: Props = secrets_like({**_values(outs or {}), PROVIDER_KEY: inputs[PROVIDER_KEY]}, inputs)
        return marked

    def _provider(self, operation: Operation, first: Props, second: Props | None) -> Any:
        text = reveal(first.get(PROVIDER_KEY))
        if (text is None or text is UNKNOWN) and second:
            text = reveal(second.get(PROVIDER_KEY))
        if not isinstance(text, str):
            raise StepError(f"{urns.short(operation.urn)}: the state has no provider for this dynamic resource")
        with self._lock:
            if text not in self._loaded:
                self._loaded[text] = self._load(operation, text)
            return self._loaded[text]

    def _load(self, operation: Operation, text: str) -> Any:
        import dill  # type: ignore[import-untyped]
        from pulumi.dynamic import Config, ConfigureRequest
        from pulumi.runtime._serialization import _deserialize

        try:
            provider = _deserialize(lambda: dill.loads(base64.b64decode(text)))  # noqa: S301 - see the module's docstring
        except Exception as error:  # noqa: BLE001 - unpickling runs the program's own imports
            raise StepError(
                f"{urns.short(operation.urn)}: its dynamic provider cannot be loaded: {_line(error)}"
            ) from None
        request = ConfigureRequest(config=Config(raw_config=self._config, project_name=self._project))
        self._call(operation, "configure", lambda: provider.configure(request))
        return provider

    @staticmethod
    def _call(operation: Operation, what: str, function: Callable[[], _T]) -> _T:
        try:
            return function()
        except Exception as error:
            raise StepError(f"{urns.short(operation.urn)}: {what} failed: {_line(error)}") from error


def _plain(props: Props) -> Props:
    """What a dynamic provider sees: secrets opened, unknowns as the SDK's marker, nothing shared with the state."""

    def convert(item: Any) -> Any:
        if isinstance(item, dict):
            return {key: convert(child) for key, child in item.items()}
        if isinstance(item, list):
            return [convert(child) for child in item]
        return UNKNOWN_TEXT if item is UNKNOWN else item

    converted: Props = convert(reveal(props))
    return converted


def _values(props: Props) -> Props:
    def convert(item: Any) -> Any:
        if isinstance(item, dict):
            return {str(key): convert(child) for key, child in item.items()}
        if isinstance(item, list | tuple):
            return [convert(child) for child in item]
        if item == UNKNOWN_TEXT:
            return UNKNOWN
        if isinstance(item, float) and item.is_integer():
            return int(item)
        return copy.copy(item)

    converted: Props = convert(props)
    return converted


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
