"""How many broken rules the tests notice: each comparison, boolean and member of a set in each rule, broken alone.

A mutant is one module of `falaj_policies.rules` with one thing changed: `==` and `!=`, `<` and `>=`, `in` and `not in`,
`is` and `is not` exchanged, `and` and `or` exchanged, a `not` taken away, one constant of a set (or of what is searched
by `in`) replaced by one that never occurs. Each runs in a fork of its own, first through every case of the test kit,
then, where those notice nothing, through the tests of the rules, until the first failure. What crashes or does not end
is noticed. Survivors are listed with their place; one that means the same as the original (a guard that cannot be
reached) survives rightly, and is not told from the others.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.abc
import importlib.machinery
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RULES = ROOT / "policies" / "falaj_policies" / "rules"
TESTS = ROOT / "tests" / "falaj_policies"
# They start processes of their own, judge something else than rules, or are the cases, which came first.
OTHER_TESTS = {
    "cases",
    "pack",
    "extensions",
    "docs",
    "api",
    "formats",
    "insecure",
    "waivers",
    "place",
    "commands",
    "controls",
}
FLIPPED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
NEVER = "\x00never"
# Seconds for one mutant: what takes ten times as long as the tests take without any does not end.
LIMIT_S = 600
CASES_ONLY = False
SURVIVED, BY_CASES, BY_TESTS = 0, 10, 11
HOW = {BY_CASES: "cases", BY_TESTS: "tests", "signal": "did not end"}


@dataclass(frozen=True)
class Mutant:
    """The `variant`th change of the `node`th node (in the order of ast.walk) of a module."""

    module: str
    node: int
    variant: int
    line: int
    what: str


def variants(node: ast.AST) -> Iterator[tuple[int, str]]:
    """The changes that a node allows, with words for each."""
    if isinstance(node, ast.Compare):
        for index, (op, right) in enumerate(zip(node.ops, node.comparators, strict=True)):
            yield index, f"{type(op).__name__} -> {FLIPPED[type(op)].__name__} in {ast.unparse(node)}"
            if isinstance(op, ast.In | ast.NotIn) and isinstance(right, ast.Tuple | ast.List):
                for at, item in enumerate(right.elts):
                    if isinstance(item, ast.Constant):
                        yield 1000 * (index + 1) + at, f"without {item.value!r} in {ast.unparse(node)}"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield 0, f"no `not` in {ast.unparse(node)}"
    elif isinstance(node, ast.BoolOp):
        yield 0, f"and <-> or in {ast.unparse(node)}"
    elif isinstance(node, ast.Set):
        for at, item in enumerate(node.elts):
            if isinstance(item, ast.Constant):
                yield at, f"without {item.value!r} in a set"


def mutated(node: Any, variant: int) -> None:
    """Make the change in place."""
    if isinstance(node, ast.Compare):
        if variant < 1000:
            node.ops[variant] = FLIPPED[type(node.ops[variant])]()
        else:
            index, at = divmod(variant, 1000)
            node.comparators[index - 1].elts[at] = ast.copy_location(ast.Constant(NEVER), node)
    elif isinstance(node, ast.UnaryOp):
        node.op = ast.UAdd()
        node.operand = ast.copy_location(ast.Call(ast.Name("bool", ast.Load()), [node.operand], []), node)
    elif isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    else:
        node.elts[variant] = ast.copy_location(ast.Constant(NEVER), node)


def mutants(modules: Sequence[str]) -> list[Mutant]:
    """All of them, by module and line."""
    found = []
    for module in modules:
        tree = ast.parse((RULES / f"{module}.py").read_text())
        for index, node in enumerate(ast.walk(tree)):
            for variant, what in variants(node):
                short = what if len(what) <= 140 else what[:137] + "..."
                found.append(Mutant(module, index, variant, getattr(node, "lineno", 0), short))
    return sorted(found, key=lambda mutant: (mutant.module, mutant.line, mutant.node, mutant.variant))


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads one module of the rules as it is in the mutant."""

    def __init__(self, mutant: Mutant) -> None:
        self.name = f"falaj_policies.rules.{mutant.module}"
        self.file = RULES / f"{mutant.module}.py"
        tree = ast.parse(self.file.read_text())
        mutated(list(ast.walk(tree))[mutant.node], mutant.variant)
        self.code = compile(ast.fix_missing_locations(tree), str(self.file), "exec")

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(name, self, origin=str(self.file)) if name == self.name else None

    def create_module(self, spec: Any) -> None:
        return None

    def exec_module(self, module: Any) -> None:
        exec(self.code, module.__dict__)


def judged(mutant: Mutant | None, cases: Sequence[Any], goods: Sequence[Any]) -> int:
    """In a fork: SURVIVED, or what noticed it. None is the rules as they are."""
    import falaj_policies

    for name in [name for name in sys.modules if name.startswith(("falaj_policies.rules", "falaj_policies.registry"))]:
        del sys.modules[name]
    for name, home in falaj_policies._HOMES.items():
        if home == "registry":
            vars(falaj_policies).pop(name, None)
    for name in ("rules", "registry", "RULE_SET_VERSION"):
        vars(falaj_policies).pop(name, None)
    try:
        if mutant is not None:
            sys.meta_path.insert(0, _Finder(mutant))
        registry = importlib.import_module("falaj_policies.registry")
        stage = falaj_policies.Stage
        for case in cases:
            at = stage.DEPLOY if isinstance(case.good, falaj_policies.ModelFact) else stage.PULL_REQUEST
            if registry.evaluate(case.good, at) or {f.rule for f in registry.evaluate(case.bad, at)} != {case.rule}:
                return BY_CASES
        if any(registry.evaluate(fact, stage.PROVISION) for fact in goods):
            return BY_CASES
    except Exception:  # noqa: BLE001 - whatever a broken rule raises, it was noticed
        return BY_CASES
    if CASES_ONLY:
        return SURVIVED
    import pytest

    files = [str(file) for file in sorted(TESTS.glob("test_*.py")) if file.stem.split("_")[2] not in OTHER_TESTS]
    # Properties over hundreds of examples take longer than all the rest, and notice the same.
    options = ["-x", "-q", "-p", "no:cacheprovider", "--no-header", "-m", "not api and not site and not hypothesis"]
    options += [f"--rootdir={ROOT}", "-c", str(ROOT / "pyproject.toml")]
    return SURVIVED if pytest.main([*options, *files]) == pytest.ExitCode.OK else BY_TESTS


def started(mutant: Mutant | None, cases: Sequence[Any], goods: Sequence[Any], limit: float = LIMIT_S) -> int:
    """The process that judges a mutant; it ends by itself, after `limit` seconds at the latest."""
    pid = os.fork()
    if pid:
        return pid
    code = BY_TESTS
    try:
        signal.alarm(int(limit))
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        code = judged(mutant, cases, goods)
    finally:
        os._exit(code)


def run(found: Sequence[Mutant], budget: float, parallel: int) -> tuple[dict[str, int], list[Mutant], int]:
    """How many each way noticed, the survivors, and how many there was no time for."""
    sys.path[:0] = [str(ROOT / "policies")]
    from falaj_policies.testing import good, kinds, own_cases

    cases = own_cases()
    goods = [good(kind, tenant=tenant) for kind in kinds() for tenant in (None, "acme")]
    began = time.monotonic()
    _, status = os.waitpid(started(None, cases, goods), 0)
    limit = 20 + 10 * (time.monotonic() - began)
    if status != 0:
        sys.exit("the tests fail without any mutant: nothing can be measured")
    counts: Counter[str] = Counter()
    survivors: list[Mutant] = []
    running: dict[int, Mutant] = {}
    until = time.monotonic() + budget
    waiting = list(found)
    while waiting or running:
        while waiting and len(running) < parallel and time.monotonic() < until:
            mutant = waiting.pop(0)
            running[started(mutant, cases, goods, limit)] = mutant
        if not running:
            break
        pid, status = os.wait()
        mutant = running.pop(pid)
        code = os.waitstatus_to_exitcode(status)
        if code == SURVIVED:
            survivors.append(mutant)
        else:
            counts[HOW.get(code, HOW["signal"])] += 1
        done = len(found) - len(waiting) - len(running)
        if done % 50 == 0:
            print(f"{done} of {len(found)}, {len(survivors)} survive", file=sys.stderr)
    return dict(counts), survivors, len(waiting)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--budget", type=float, default=1800.0, metavar="SECONDS", help="start no mutant after that")
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--module", action="append", metavar="NAME", help="only this module of falaj_policies/rules")
    parser.add_argument("--cases-only", action="store_true", help="without the tests: quick, and more survive")
    arguments = parser.parse_args()
    global CASES_ONLY
    CASES_ONLY = arguments.cases_only
    all_modules = sorted(file.stem for file in RULES.glob("*.py") if file.stem not in ("__init__", "declare"))
    found = mutants(arguments.module or all_modules)
    began = time.monotonic()
    counts, survivors, left = run(found, arguments.budget, arguments.parallel)
    survivors.sort(key=lambda mutant: (mutant.module, mutant.line, mutant.variant))
    result = {
        "mutants": len(found),
        "tried": len(found) - left,
        "noticed": sum(counts.values()),
        "noticed_by": counts,
        "survivors": [{"place": f"rules/{m.module}.py:{m.line}", "change": m.what} for m in survivors],
        "seconds": round(time.monotonic() - began, 1),
    }
    if arguments.json:
        print(json.dumps(result, indent=2))
        return
    for row in result["survivors"]:  # type: ignore[attr-defined]
        print(f"{row['place']:32} {row['change']}")
    print(f"{result['noticed']} of {result['tried']} noticed ({len(found)} in all) in {result['seconds']} s: {counts}")


if __name__ == "__main__":
    main()
