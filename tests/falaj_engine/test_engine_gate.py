"""The embedded engine judges by itself, before any step, with the ids of every other place."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from falaj_engine import commands, governed, values
from falaj_engine.deployment import Deployment
from falaj_engine.display import digest
from falaj_engine.errors import ProjectError, RefusedError
from falaj_engine.events import Record
from falaj_engine.goal import Goal
from falaj_engine.governed import RulesJudge, gate
from falaj_engine.judging import Registration, Scene
from falaj_engine.nullprovider import NullProvider
from falaj_engine.project import Project
from falaj_engine.provider import Live, Operation
from falaj_engine.providers import Providers
from falaj_engine.secrets import Crypter
from falaj_engine.snapshot import Checkpoint, Snapshot
from falaj_engine.values import Props, Secret
from falaj_engine.workspace import Result, Workspace
from falaj_infra.waivers import Waivers, today
from falaj_platform.quickstart import provision
from falaj_policies import UNKNOWN, Objection, Place, ResourceFact, RulePackageError, StackFact, Stage, registry
from falaj_policies.testing import Case, change, good, own_cases
from falaj_site.progress import Console

Make = Callable[..., Workspace]

HERE = {"falaj:jurisdiction": "uae", "falaj:cloud": "on-premises", "falaj:region": "local"}

# A program of dynamic resources, which the engine makes without any cluster; each that is made leaves a file.
PROGRAM = """
import pathlib
import pulumi
from made import Made

print("running")
Made("first", {{}})
{rest}
pulumi.export("ran", True)
"""
MADE = """
import pathlib
import pulumi
from pulumi.dynamic import CreateResult, Resource, ResourceProvider

class Provider(ResourceProvider):
    def create(self, props):
        pathlib.Path(props["path"]).touch()
        return CreateResult(id_=props["path"], outs=props)

class Made(Resource, module="acme", name="Made"):
    said: pulumi.Output[bool]

    def __init__(self, name, props, opts=None):
        super().__init__(Provider(), name, {"path": f"made-{name}", **props}, opts)
"""


class Nothing(NullProvider):
    """Makes nothing and says it did."""

    def create(self, operation: Operation, inputs: Props) -> Live:
        return Live("made", inputs)


def deployment(judge: RulesJudge, *, preview: bool = False, config: Props | None = None) -> Deployment:
    return Deployment(
        project="acme",
        stack="dev",
        snapshot=Snapshot(Checkpoint("organization/acme/dev"), Crypter.none(), None),
        providers=Providers({}, config or {}, fallback=lambda _name, _inputs: Nothing()),
        record=Record(),
        preview=preview,
        cancelled=threading.Event(),
        judge=judge,
    )


def judge_of(fact: ResourceFact | StackFact, waivers: Waivers | None = None) -> RulesJudge:
    where = Place(
        cloud=fact.cloud,
        region=fact.region,
        jurisdiction=fact.jurisdiction,
        tenant=fact.tenant,
        regime=fact.regime,
        transfer_basis=getattr(fact, "transfer_basis", ""),
        standby=getattr(fact, "standby", None),
    )
    project = Project("acme", Path(), Path(), Path())
    backend, encryption = getattr(fact, "backend", ""), getattr(fact, "encryption", "")
    scene = Scene(stack="dev", project=project, home=Path(), config={}, backend=backend, encryption=encryption)
    return RulesJudge(scene, where, waivers or Waivers())


def of_engine(value: Any) -> Any:
    """A fact's value as a program's registration brings it."""
    if value is UNKNOWN:
        return values.UNKNOWN
    if isinstance(value, dict):
        return {key: of_engine(item) for key, item in value.items()}
    return [of_engine(item) for item in value] if isinstance(value, list | tuple) else value


def goal(fact: ResourceFact, provider: str) -> Goal:
    return Goal(
        type=fact.type,
        name=fact.name,
        custom=True,
        inputs=of_engine(dict(fact.inputs)),
        provider=provider,
        property_dependencies={key: list(urns) for key, urns in fact.references.items()},
    )


def register(run: Deployment, fact: ResourceFact) -> None:
    """The resource, after a provider that says where it is."""
    package = fact.type.split(":", 1)[0]
    reference = ""
    if package in ("aws", "azure-native") and fact.region is not UNKNOWN:
        key = "region" if package == "aws" else "location"
        said = Goal(type=f"pulumi:providers:{package}", name=f"p-{fact.region}", custom=True, inputs={key: fact.region})
        urn = f"urn:pulumi:dev::acme::{said.type}::{said.name}"
        made = run.snapshot.current(urn) or run.register(said)
        reference = f"{urn}::{made.id}"
    run.register(goal(fact, reference))


def refused(fact: ResourceFact | StackFact) -> set[str]:
    """The ids of the rules that end a run that registers this; of a stack all, as a preview names them."""
    run = deployment(judge_of(fact), preview=isinstance(fact, StackFact))
    resources = fact.resources if isinstance(fact, StackFact) else (fact,)
    try:
        for resource in resources:
            register(run, resource)
        if isinstance(fact, StackFact):
            run.conclude()
    except RefusedError:
        pass
    assert all(isinstance(error, RefusedError) for error in run.errors), run.errors
    return {str(error).split()[0] for error in run.errors}


CASES = [case for case in own_cases() if isinstance(case.bad, ResourceFact | StackFact)]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_case_has_the_same_id_in_the_engine(case: Case) -> None:
    assert isinstance(case.good, ResourceFact | StackFact)
    assert isinstance(case.bad, ResourceFact | StackFact)
    if isinstance(case.bad, ResourceFact):
        assert refused(case.good) == set()
        assert refused(case.bad) == {case.rule}
    else:
        # Its resources are judged one by one as well.
        assert case.rule in refused(case.bad) - refused(case.good)


def test_the_default_provider_is_where_the_configuration_says() -> None:
    fact = good("aws:s3:Bucket")
    inputs = {key: value for key, value in fact.inputs.items() if key != "region"}
    for region, expected in (("me-central-1", set()), ("eu-west-1", {"RES-01"})):
        run = deployment(judge_of(fact), config={"aws:region": region})
        with contextlib.suppress(RefusedError):
            run.register(goal(dataclasses.replace(fact, inputs=inputs), ""))
        assert {str(error).split()[0] for error in run.errors} == expected


# Whole programs of dynamic resources, which need no cluster, under a rule about those.

BAD = """
Made("bad", {"forbidden": True})
Made("worse", {"forbidden": True})
"""


def forbidden(resource: ResourceFact) -> Iterator[Objection]:
    value = resource.inputs.get("forbidden")
    if value is UNKNOWN or value is True:
        yield Objection("is forbidden", path="forbidden", undecided=value is UNKNOWN)


def only(fact: StackFact) -> Iterator[Objection]:
    if any(resource.name == "alone" for resource in fact.resources) and len(fact.resources) > 2:
        yield Objection("is not alone")


RULES = tuple(
    dataclasses.replace(
        registry.RULES[0], id=name, applies_to=fact, check=check, kinds=None, stages=frozenset({Stage.PROVISION})
    )
    for name, fact, check in (("ACME-01", ResourceFact, forbidden), ("ACME-02", StackFact, only))
)


@pytest.fixture
def project(space: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """`project(rest, config)`: a project whose program makes one thing and then does `rest`."""
    every = (*registry.RULES, *RULES)
    monkeypatch.setattr(registry, "all_rules", lambda: every)
    registry._rules_for.cache_clear()

    def make(rest: str = "", config: Any = HERE) -> Workspace:
        space.module("made", MADE)
        space.program(PROGRAM.format(rest=rest))
        (space.root / "Pulumi.dev.yaml").write_text(json.dumps({"config": config}))
        (space.home / "stacks" / "Pulumi.dev.yaml").unlink(missing_ok=True)
        return Workspace(space.root, space.home, gate=gate)

    yield make
    registry._rules_for.cache_clear()


def made(workspace: Workspace) -> set[str]:
    return {path.name for path in workspace.project.root.glob("made-*")}


def said(result: Result) -> list[tuple[str, str]]:
    """Each finding of a run: the rule, and what it is about."""
    lines = [(message, step.urn.rsplit("::", 1)[-1]) for step, message in result.failures if step.op == "refuse"]
    assert all(len(message.splitlines()) == 1 for message, _ in lines)
    return sorted((message.split()[0], name) for message, name in lines)


def test_what_keeps_the_rules_is_made(project: Make) -> None:
    workspace = project()
    result = workspace.up("dev")
    assert result.ok, result.error
    assert made(workspace) == {"made-first"}
    assert result.outputs == {"ran": True}


def test_up_makes_nothing_of_a_program_that_is_refused(project: Make) -> None:
    workspace = project(BAD)
    result = workspace.up("dev")
    assert isinstance(result.error, RefusedError)
    assert result.error.exit_code == 1
    assert (result.operation, result.changes, made(workspace)) == ("up", 0, set())
    assert said(result) == [("ACME-01", "bad"), ("ACME-01", "worse")]
    assert workspace.export("dev")["deployment"].get("resources", []) == []


def test_a_preview_names_every_finding_too(project: Make) -> None:
    workspace = project(BAD)
    result = workspace.preview("dev")
    assert isinstance(result.error, RefusedError)
    assert said(result) == [("ACME-01", "bad"), ("ACME-01", "worse")]
    assert "ACME-01" in json.dumps(digest(result, {})["diagnostics"])
    assert made(workspace) == set()


def test_a_stack_is_judged_as_a_whole_before_anything_is_made(project: Make) -> None:
    workspace = project('Made("alone", {})\nMade("other", {})\n')
    for result in (workspace.preview("dev"), workspace.up("dev")):
        assert said(result) == [("ACME-02", "case-dev")]
    assert made(workspace) == set()


def test_a_project_that_does_not_say_where_it_is_is_refused(project: Make) -> None:
    workspace = project(config={})
    result = workspace.up("dev")
    assert isinstance(result.error, RefusedError)
    assert "RES-01" in {rule for rule, _ in said(result)}
    assert made(workspace) == set()


def test_where_it_is_must_lead_somewhere(project: Make) -> None:
    tenant = {"kind": "tenant", "tenant": "acme", "region": "region-unheard-of", "regime": "pdpl"}
    for config in ({"falaj:stack": tenant}, {"falaj:stack": "no"}):
        workspace = project(config=config)
        with pytest.raises(ProjectError, match="jurisdiction") as caught:
            workspace.up("dev")
        assert caught.value.exit_code == 2
        assert made(workspace) == set()


def test_what_a_program_registers_only_at_up_is_judged_then(project: Make) -> None:
    workspace = project('if not pulumi.runtime.is_dry_run():\n    Made("bad", {"forbidden": True})\n')
    result = workspace.up("dev")
    assert said(result) == [("ACME-01", "bad")]
    assert "made-bad" not in made(workspace)


def test_the_judging_pass_is_not_seen(project: Make, capfd: pytest.CaptureFixture[str]) -> None:
    assert project().up("dev").ok
    assert capfd.readouterr().out.count("running") == 1


LATER = 'source = Made("source", {"said": True})\nMade("later", {"forbidden": source.said})\n'


def test_an_undecided_rule_is_said_in_preview_and_judged_at_up(project: Make) -> None:
    workspace = project(LATER)
    result = workspace.preview("dev")
    assert result.ok, result.error
    assert "1 judgements wait for values that `up` knows: ACME-01 (1)" in [text for _, text, _ in result.messages]
    up = workspace.up("dev")
    assert said(up) == [("ACME-01", "later")]
    assert "made-later" not in made(workspace)


WAIVER = """waivers:
  - rule: ACME-01
    resource: {resource}
    reason: replaced next quarter
    expires: {day}
    approved_by: [Basma]
"""
URN = "urn:pulumi:dev::case::pulumi-python:dynamic/acme:Made::bad"


@pytest.mark.parametrize(
    ("resource", "days", "passes"),
    [
        (URN, 9, True),
        ("pulumi-python:dynamic/acme:Made::bad", 9, True),
        (URN, -1, False),
        (URN.replace("bad", "worse"), 9, False),
        (URN.replace("dev", "prod"), 9, False),
    ],
)
def test_a_waiver_lets_its_finding_pass_and_says_so(project: Make, resource: str, days: int, passes: bool) -> None:
    workspace = project('Made("bad", {"forbidden": True})\n')
    text = WAIVER.format(resource=resource, day=today() + timedelta(days=days))
    (workspace.project.root / "falaj-waivers.yaml").write_text(text)
    result = workspace.up("dev")
    assert result.ok == passes, result.error
    waived = [text for severity, text, _ in result.messages if severity == "warning" and "waived until" in text]
    assert bool(waived) == passes
    assert any("typed names" in text for _, text, _ in result.messages) == passes
    if days < 0:
        assert ("CHG-01", "bad") in said(result), "why its waiver does not hold"


def test_a_waiver_file_that_cannot_be_read_stops_everything(project: Make) -> None:
    workspace = project()
    (workspace.project.root / "falaj-waivers.yaml").write_text("waivers: [")
    with pytest.raises(ProjectError, match=r"falaj-waivers\.yaml"):
        workspace.up("dev")
    assert made(workspace) == set()


def test_a_rule_package_that_cannot_be_used_stops_everything(project: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def raises() -> Any:
        raise RulePackageError("the rule package acme-rules cannot be loaded")

    monkeypatch.setattr(governed, "all_rules", raises)
    workspace = project()
    with pytest.raises(ProjectError, match="acme-rules"):
        workspace.up("dev")
    assert made(workspace) == set()


ATTACH = """
from falaj_infra import gate
from falaj_policies import Place
gate.attach(Place(cloud="on-premises", region="moon", jurisdiction="uae"))
Made("second", {})
"""


def test_a_refusal_does_not_say_a_secret() -> None:
    pod = change(good("kubernetes:core:Pod", tenant="acme"), "spec.containers[0].image", Secret("hush-hush"))
    registration = Registration(urn=pod.urn, type=pod.type, name=pod.name, inputs=dict(pod.inputs))
    (refused,) = judge_of(pod).resource(registration, preview=False).refused
    assert "SUP-04" in refused
    assert "hush" not in refused


def test_a_gate_in_the_program_does_not_judge_again(project: Make) -> None:
    workspace = project(ATTACH)
    assert workspace.up("dev").ok, "it would have refused: it is told another place"
    assert made(workspace) == {"made-first", "made-second"}


def test_a_gate_in_the_program_judges_where_the_engine_does_not(space: Any, project: Make) -> None:
    project(ATTACH)
    result = space.workspace.up("dev")
    assert "RES-01" in str(result.error)
    assert not (space.root / "made-second").exists()


def test_the_commands_and_the_quickstart_always_judge(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    assert commands._workspace(root, None).gate is gate
    assert provision.workspace(root, tmp_path, Console()).gate is gate
    for command in (commands.up, commands.preview, commands.refresh):
        assert not {"gate", "judge", "rules"} & set(inspect.signature(command).parameters)


def test_values_are_judged_as_they_are() -> None:
    value = {"a": Secret({"b": values.UNKNOWN}), "c": None, "d": [Secret(1)]}
    assert governed.plain(value) == {"a": {"b": UNKNOWN}, "d": [1]}
