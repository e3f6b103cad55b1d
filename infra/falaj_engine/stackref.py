"""The engine's own package `pulumi`: stack references."""

from __future__ import annotations

from collections.abc import Callable

from falaj_engine import urn as urns
from falaj_engine.errors import StepError
from falaj_engine.nullprovider import NullProvider
from falaj_engine.provider import Live, Operation
from falaj_engine.values import Props, has_secret, resealed

TYPE = "pulumi:pulumi:StackReference"


class StackReferences(NullProvider):
    """Reads the outputs of another stack.

    outputs_of: by stack name; raises EngineError for a stack that is not there.
    """

    def __init__(self, outputs_of: Callable[[str], Props]) -> None:
        self._outputs_of = outputs_of

    def read(self, operation: Operation, id: str, inputs: Props, outputs: Props) -> Live | None:  # noqa: A002
        if operation.type != TYPE:
            raise StepError(f"{urns.short(operation.urn)}: the engine has no resource of that type")
        found: Props = resealed(self._outputs_of(id))
        names = sorted(key for key, value in found.items() if has_secret(value))
        return Live(id, {"name": id, "outputs": found, "secretOutputNames": names})
