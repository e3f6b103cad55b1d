"""A provider that changes nothing: for captures, and in previews where a provider's configuration is unknown."""

from __future__ import annotations

from falaj_engine import diff as diffs
from falaj_engine.kube.objects import foretold
from falaj_engine.provider import Checked, Difference, Live, Operation
from falaj_engine.snapshot import Pending
from falaj_engine.values import Props


class NullProvider:
    """Outputs are the inputs; everything a real provider would add stays unknown.

    It refuses to run outside a preview.
    """

    def check(self, operation: Operation, olds: Props | None, news: Props) -> Checked:
        return Checked(news)

    def diff(self, operation: Operation, id: str, olds: Props, outputs: Props, news: Props) -> Difference:  # noqa: A002
        paths = tuple(diffs.differences(olds, news))
        return Difference(bool(paths), paths)

    def create(self, operation: Operation, inputs: Props) -> Live:
        assert operation.preview
        return Live("", _foretold(operation, inputs))

    def read(self, operation: Operation, id: str, inputs: Props, outputs: Props) -> Live | None:  # noqa: A002
        assert operation.preview
        return Live(id, inputs)

    def update(self, operation: Operation, id: str, olds: Props, outputs: Props, news: Props) -> Props:  # noqa: A002
        assert operation.preview
        return _foretold(operation, news)

    def delete(self, operation: Operation, id: str, inputs: Props, outputs: Props) -> None:  # noqa: A002
        assert operation.preview

    def recover(self, operation: Operation, pending: Pending) -> Live | None:
        return None


def _foretold(operation: Operation, inputs: Props) -> Props:
    # A program reads fields of a Kubernetes object that only the server fills in: they are unknown, not absent.
    return foretold(inputs) if operation.type.startswith("kubernetes:") else inputs
