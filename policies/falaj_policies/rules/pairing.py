"""What stands beside what in a stack: a bucket and its encryption, a network and its flow log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from falaj_policies.facts import UNKNOWN, ResourceFact, StackFact
from falaj_policies.model import Objection

__all__ = ["beside", "of_kind", "partners"]


def of_kind(stack: StackFact, *kinds: str) -> list[ResourceFact]:
    return [resource for resource in stack.resources if resource.kind in kinds]


def partners(child: ResourceFact, key: str, parents: Iterable[ResourceFact], name: str) -> list[ResourceFact]:
    """Which of `parents` the input `key` of `child` means: by the program's graph, else by the same literal `name`."""
    urns = child.references.get(key, ())
    said = child.inputs.get(key)
    literal = isinstance(said, str)
    return [one for one in parents if one.urn in urns or (literal and one.inputs.get(name) == said)]


def beside(
    stack: StackFact,
    parents: Iterable[ResourceFact],
    child: str,
    key: str,
    name: str,
    keeps: Callable[[ResourceFact], bool],
    message: str,
) -> Iterator[Objection]:
    """Each of `parents` has a resource of the kind `child` whose input `key` means it, and which `keeps` the rule.

    Undecided where none does, but one's `key` is not known and says nothing of where it comes from.
    """
    parents = list(parents)
    kept: set[str] = set()
    open_ended = False
    for one in of_kind(stack, child):
        if not keeps(one):
            continue
        meant = partners(one, key, parents, name)
        kept.update(parent.urn for parent in meant)
        open_ended = open_ended or (not meant and one.inputs.get(key) is UNKNOWN and not one.references.get(key))
    for parent in parents:
        if parent.urn not in kept:
            yield Objection(message, subject=parent.urn, undecided=open_ended)
