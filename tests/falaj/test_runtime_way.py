"""A model's whole way on a stand-in tenant, with the real audit service and the real replica behind its door."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from falaj.audit.record import verify
from falaj.errors import (
    Forbidden,
    GateRefused,
    ModelProblem,
    NotFound,
    NotLoggedIn,
    ServiceError,
    TrainingFailed,
    UsageError,
)
from falaj.models import SignedModel
from falaj.package import build
from falaj.registry import Registry
from falaj.serving.replica import Replica
from falaj.training import job_of

NAMESPACE = "tenant-demo"
TRAIN = """
import shutil, falaj
job = falaj.job()
print("training on", [path.name for path in job.data], "with", dict(job.params))
job.log_model("out", metrics={"auc": 0.75}, features=["a", "b"], decisions=["label"])
"""


@pytest.fixture
def approved(world: Any, onnx_file: Callable[..., bytes]) -> Callable[..., Any]:
    """Makes a registered and approved version of the model `credit`."""

    def make(weight: float = 1.0, name: str = "credit", author: str = "alice", approver: str = "bob") -> Any:
        files = {"model.onnx": onnx_file(weight), "falaj.json": b'{"version":1,"features":["a","b"]}'}
        run = world.add_run(files, member=author)
        version = world.tenant(author).register(world.tenant(author).sign(run), name)
        return world.tenant(approver).approve(name, version.version, digest=version.digest)

    return make


def refused(world: Any, version: Any, member: str = "omar") -> tuple[str, ...]:
    """The rules by which the replica itself refuses a version; the early check is left out."""
    with pytest.raises(GateRefused) as error:
        world.tenant(member).deploy(version.name, version.version, check=False)
    assert error.value.where == "serving replica"
    return error.value.rules


def test_the_whole_way(world: Any, tmp_path: Path, onnx_file: Callable[..., bytes]) -> None:
    folder = tmp_path / "a folder"
    (folder / "out").mkdir(parents=True)
    (folder / "train.py").write_text(TRAIN)
    (folder / "out/model.onnx").write_bytes(onnx_file())
    (folder / "rows.csv").write_text("a,b\n1,2\n")
    alice, bob, omar = world.tenant("alice"), world.tenant("bob"), world.tenant("omar")
    seen: list[str] = []
    arguments: dict[str, Any] = {
        "script": "train.py",
        "working_dir": folder,
        "data": [folder / "rows.csv"],
        "params": {"depth": 3},
        "on_log": seen.append,
    }
    run = alice.train(**arguments)
    assert any("training on ['rows.csv'] with {'depth': 3}" in line for line in seen)
    assert run.metrics == {"auc": 0.75}
    assert alice.train(**arguments, reuse=True).reused
    assert alice.evaluate(run, bars={"auc": 0.7}).passed
    assert not alice.evaluate(run, bars={"auc": 0.8, "f1": 0.1}).passed

    signed = alice.sign(run)
    assert signed.digest == run.digest
    version = alice.register(signed, "credit")
    assert alice.register(signed, "credit") == version
    lead = world.tenant("lead")
    assert lead.register(lead.sign(run, check=False), "other").version == "1"
    assert lead.register(lead.sign(run, check=False), "other").version == "1"
    assert alice.register(signed, "other").version == "2"
    with pytest.raises(GateRefused, match="CHG-01"):
        omar.deploy("credit", "1")
    bob.approve("credit", version.version, digest=version.digest)
    assert omar.deploy("credit", "1").changed
    assert not omar.deploy("credit", "1").changed
    rows = alice.predict("credit", [{"a": 1.0, "b": 2.0}, {"a": -1.0, "b": -2.0}])
    assert rows == [{"label": 1, "score": 3.0}, {"label": 0, "score": -3.0}]
    assert alice.predict("credit", [[1, 2]]) == [{"label": 1, "score": 3.0}]
    assert alice.status()["served"]["digest"] == signed.digest

    world.tally.flush()
    records = alice.audit_records()
    assert [(record["actor"], record["action"]) for record in records] == [
        ("alice", "model.training-started"),
        ("alice", "model.trained"),
        ("alice", "model.evaluation-passed"),
        ("alice", "model.evaluation-failed"),
        ("alice", "model.signed"),
        ("alice", "model.registered"),
        ("lead", "model.signed"),
        ("lead", "model.registered"),
        ("lead", "model.signed"),
        ("alice", "model.registered"),
        ("bob", "model.approved"),
        ("omar", "model.deploy-asked"),
        ("serving", "serving.loaded"),
        ("omar", "model.deployed"),
        ("serving", "serving.inferences"),
    ]
    assert records[-1]["detail"] == {"requests": 2, "rows": 3, "errors": 0, "decisions": {"label=0": 1, "label=1": 2}}
    assert verify(alice.session.audit.lines()).ok


def test_a_deployment_that_cannot_be_recorded_is_not_asked_for(world: Any, approved: Callable[..., Any]) -> None:
    version = approved()
    omar = world.tenant("omar")
    world.store.close()
    with pytest.raises(ServiceError, match="503"):
        omar.deploy("credit", version.version)
    assert world.config_maps["serving"]["data"] == {}


def test_rollback_goes_back_one_version_at_a_time(world: Any, approved: Callable[..., Any]) -> None:
    omar = world.tenant("omar")
    for weight in (1.0, 2.0, 3.0):
        omar.deploy("credit", approved(weight).version)
    assert omar.rollback("credit").version == "2"
    assert omar.predict("credit", [[1, 1]])[0]["score"] == 4.0
    assert omar.rollback("credit").version == "1"
    with pytest.raises(NotFound, match="no earlier version"):
        omar.rollback("credit")
    assert omar.status()["served"]["version"] == "1"


def test_the_replica_refuses_what_is_not_signed(world: Any, onnx_file: Callable[..., bytes]) -> None:
    run = world.add_run({"model.onnx": onnx_file()})
    alice = world.tenant("alice")
    unsigned = SignedModel(run_id=run, digest=alice.sign(run).digest, signature="")
    version = alice.register(unsigned, "credit")
    version = world.tenant("bob").approve("credit", version.version, digest=version.digest, check=False)
    assert refused(world, version) == ("SUP-01",)


def test_the_replica_refuses_one_altered_byte(
    world: Any, approved: Callable[..., Any], onnx_file: Callable[..., bytes]
) -> None:
    version = approved()
    content = bytearray(onnx_file())
    content[content.index(b"score")] ^= 1
    world.alter(version.run_id, "model.onnx", bytes(content))
    assert "SUP-01" in refused(world, version)


@pytest.mark.parametrize("extra", ["extra.json", "sub/extra.json", ".git/config"])
def test_the_replica_refuses_an_added_file(world: Any, approved: Callable[..., Any], extra: str) -> None:
    version = approved()
    world.alter(version.run_id, extra, b"{}")
    assert "SUP-01" in refused(world, version)


def test_the_replica_refuses_an_altered_model_with_a_digest_to_match(
    world: Any, approved: Callable[..., Any], onnx_file: Callable[..., bytes]
) -> None:
    """Whoever may write the registry and deploy still cannot sign."""
    version = approved()
    other = approved(weight=5.0, name="other")
    world.alter(version.run_id, "model.onnx", onnx_file(5.0))
    world.registry().set_version_tag("credit", "1", "falaj.digest", other.digest)
    assert refused(world, world.registry().version("credit", "1")) == ("SUP-01", "CHG-01")


def test_the_replica_refuses_what_nobody_approved(world: Any, onnx_file: Callable[..., bytes]) -> None:
    alice = world.tenant("alice")
    version = alice.register(alice.sign(world.add_run({"model.onnx": onnx_file()})), "credit")
    assert refused(world, version) == ("CHG-01",)
    world.tenant("bob").approve("credit", version.version, digest=version.digest)
    assert world.tenant("omar").deploy("credit", version.version).changed


def test_the_replica_refuses_what_its_author_approved(world: Any, onnx_file: Callable[..., bytes]) -> None:
    lead = world.tenant("lead")
    version = lead.register(lead.sign(world.add_run({"model.onnx": onnx_file()}, member="lead")), "credit")
    with pytest.raises(GateRefused, match="IAM-05"):
        lead.approve("credit", version.version, digest=version.digest)
    lead.approve("credit", version.version, digest=version.digest, check=False)
    assert refused(world, version) == ("IAM-05",)


def test_the_replica_refuses_pickles(world: Any) -> None:
    alice = world.tenant("alice")
    run = world.add_run({"model.onnx": pickle.dumps({"weights": [1]})})
    with pytest.raises(GateRefused, match=r"SUP-02: model\.onnx is pickle"):
        alice.sign(run)
    version = alice.register(alice.sign(run, check=False), "credit")
    version = world.tenant("bob").approve("credit", version.version, digest=version.digest, check=False)
    assert refused(world, version) == ("SUP-02",)


def test_an_approval_cannot_be_moved_to_another_version(world: Any, approved: Callable[..., Any]) -> None:
    first = approved()
    alice = world.tenant("alice")
    second = alice.register(alice.sign(first.run_id), "credit", reuse=False)
    world.registry().set_version_tag("credit", second.version, "falaj.approval", first.approval)
    assert refused(world, second) == ("CHG-01",)


def test_a_key_that_could_have_been_copied_is_refused(world: Any, approved: Callable[..., Any]) -> None:
    version = approved()
    world.exportable.add("sign-alice")
    assert refused(world, version) == ("CRY-05",)


def test_a_key_that_was_brought_in_is_refused(world: Any, approved: Callable[..., Any]) -> None:
    version = approved()
    world.imported.add("approve-bob")
    assert refused(world, version) == ("CRY-05",)


def test_the_vault_knows_a_member_by_their_own_login_only(
    world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What hvac finds around it, a token or the platform engineer's certificate, is not the member's."""
    monkeypatch.setenv("VAULT_TOKEN", "somebody-elses")
    monkeypatch.setenv("VAULT_ADDR", "https://127.0.0.1:1")
    # As it is when hvac is first imported while VAULT_CLIENT_CERT is set: such a file would have to be read.
    monkeypatch.setattr("hvac.v1.VAULT_CLIENT_CERT", str(tmp_path / "none.crt"))
    monkeypatch.setattr("hvac.v1.VAULT_CLIENT_KEY", str(tmp_path / "none.key"))
    vault = world.tenant("alice").session.vault
    assert vault.public_key("sign-alice", 1).exportable is False
    assert world.vault_tokens == [None, f"vault-system:serviceaccount:{NAMESPACE}:alice"]


def test_a_refused_version_is_withdrawn_and_the_old_one_goes_on(
    world: Any, approved: Callable[..., Any], eventually: Callable[..., None]
) -> None:
    omar, alice = world.tenant("omar"), world.tenant("alice")
    first = approved(2.0)
    omar.deploy("credit", first.version)
    bad = alice.register(alice.sign(approved(3.0, name="x").run_id), "credit")
    refused(world, bad)
    assert omar.predict("credit", [[1, 1]])[0]["score"] == 4.0
    assert world.config_maps["serving"]["data"] == {"model": "credit", "version": "1", "digest": first.digest}
    eventually(lambda: omar.status()["refused"] is None)
    assert omar.status()["served"]["version"] == "1"


@pytest.mark.parametrize("down", ["/v1/tenant-demo/transit", "/v1/auth", "/mlflow"])
@pytest.mark.parametrize("status", [503, 403])
def test_nothing_is_loaded_while_it_cannot_be_verified(
    world: Any, approved: Callable[..., Any], eventually: Callable[..., None], down: str, status: int
) -> None:
    version = approved()
    world.refuse[down] = status
    world.put_config_map("serving", {"model": "credit", "version": "1", "digest": version.digest})
    eventually(lambda: "cannot be verified now" in world.tenant("alice").status()["problem"])
    assert world.tenant("alice").status()["served"] is None
    world.refuse.clear()
    eventually(lambda: world.tenant("alice").status()["served"] is not None, 20)


def test_what_is_not_recorded_is_not_served(
    world: Any, approved: Callable[..., Any], eventually: Callable[..., None]
) -> None:
    version = approved()
    world.store.close()
    world.put_config_map("serving", {"model": "credit", "version": "1", "digest": version.digest})
    eventually(lambda: "audit" in world.replica.state.problem, 20)
    assert world.replica.state.model is None


def test_undeploying_ends_serving(world: Any, approved: Callable[..., Any], eventually: Callable[..., None]) -> None:
    omar = world.tenant("omar")
    omar.deploy("credit", approved().version)
    with pytest.raises(Forbidden):
        world.tenant("alice").undeploy()
    assert omar.undeploy()
    assert not omar.undeploy()
    with pytest.raises(NotFound, match="not served"):
        world.tenant("alice").predict("credit", [[1, 2]])
    eventually(lambda: [r["action"] for r in omar.audit_records()].count("serving.unloaded") == 1)


def test_what_was_ended_does_not_come_back(
    world: Any, approved: Callable[..., Any], eventually: Callable[..., None]
) -> None:
    """The kill switch holds while the audit service is away, after a restart, and when the next version is refused."""
    version = approved(2.0)
    good = {"model": "credit", "version": version.version, "digest": version.digest}
    wanted: dict[str, str] = dict(good)
    reads = iter(range(1000))
    audit_down = False

    def read_desired() -> dict[str, Any]:
        return {"metadata": {"resourceVersion": str(next(reads))}, "data": dict(wanted)}

    def make() -> Any:
        real = world.make_replica()

        def record(action: str, subject: str, detail: Any) -> None:
            if audit_down:
                raise ServiceError("the audit service is away", status=503)
            real._record(action, subject, detail)

        return Replica(read_desired, real._loader, record, real._last_served)

    def actions() -> list[str]:
        return [r["action"] for r in world.tenant("alice").audit_records() if r["action"].startswith("serving.")]

    replica = make()
    replica.tick()
    assert replica.state.model.version == "1"
    audit_down = True
    wanted.clear()
    replica.tick()
    assert replica.state.model is None
    assert "end of serving could not be recorded" in replica.state.problem
    # Another version, which would be refused: neither judged nor replaced by the old one before the end is recorded.
    wanted.update(good, version="9")
    replica.tick()
    assert (replica.state.model, replica.state.refused) == (None, None)
    # Restarted while the end is not recorded, and still nothing is wanted.
    wanted.clear()
    replica = make()
    replica.tick()
    audit_down = False

    def recorded() -> bool:
        replica.tick()
        return not replica.state.problem

    eventually(recorded)
    assert actions() == ["serving.loaded", "serving.unloaded"]
    wanted.update(good, version="9")
    for one in (replica, make()):
        one.tick()
        assert one.state.refused is not None
        assert (one.state.model, one.state.problem) == (None, "")
    # What is asked for and verifies is served again, and an end that was seen before does not count any more.
    wanted.update(good)
    replica.tick()
    assert replica.state.model.version == "1"
    assert actions()[-1] == "serving.loaded"


def test_a_restarted_replica_serves_what_it_served_while_another_is_refused(
    world: Any, approved: Callable[..., Any], eventually: Callable[..., None]
) -> None:
    """As if whoever asked for the refused version had been killed before withdrawing it."""
    first = approved(2.0)
    world.tenant("omar").deploy("credit", first.version)
    world.put_config_map("serving", {"model": "credit", "version": "9", "digest": first.digest})
    restarted = world.make_replica()
    restarted.tick()
    state = restarted.state
    assert state.refused is not None
    assert state.refused["version"] == "9"
    assert (state.model.version, state.problem) == ("1", "")
    # An outage of what it needs for that is waited out.
    world.refuse["/v1/tenant-demo/transit"] = 503
    restarted = world.make_replica()
    restarted.tick()
    assert restarted.state.model is None
    assert "cannot be served again now" in restarted.state.problem
    world.refuse.clear()

    def tick_until_served() -> bool:
        restarted.tick()
        return restarted.state.model is not None

    eventually(tick_until_served)
    # What it falls back to is verified like anything else.
    world.alter(first.run_id, "model.onnx", b"altered")
    restarted = world.make_replica()
    restarted.tick()
    restarted.tick()
    assert restarted.state.model is None
    assert "SUP-01" in restarted.state.problem
    # After serving was ended there is nothing to fall back to.
    world.put_config_map("serving", {})
    eventually(lambda: world.tenant("omar").audit_records()[-1]["action"] == "serving.unloaded")
    world.put_config_map("serving", {"model": "credit", "version": "9", "digest": first.digest})
    restarted = world.make_replica()
    restarted.tick()
    assert (restarted.state.model, restarted.state.problem) == (None, "")


def test_of_two_deployments_at_once_one_wins(
    world: Any, approved: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    version = approved()
    omar = world.tenant("omar")
    read = omar.session.kube.config_map

    def read_then_change(namespace: str, name: str) -> Any:
        found = read(namespace, name)
        world.put_config_map("serving", {})
        return found

    monkeypatch.setattr(omar.session.kube, "config_map", read_then_change)
    assert omar.session.connection
    with pytest.raises(ServiceError, match="somebody else deployed"):
        omar.deploy("credit", version.version)


def test_only_operators_deploy_and_only_owners_sign(world: Any, approved: Callable[..., Any]) -> None:
    version = approved()
    with pytest.raises(Forbidden, match="cannot patch configmaps"):
        world.tenant("alice").deploy("credit", version.version)
    with pytest.raises(UsageError, match="does not say that bob trained"):
        world.tenant("bob").sign(version.run_id)
    with pytest.raises(Forbidden, match="refuses to sign with the key sign-bob"):
        world.tenant("bob").sign(version.run_id, check=False)
    with pytest.raises(Forbidden, match="refuses to sign with the key approve-omar"):
        world.tenant("omar").approve("credit", version.version, digest=version.digest)


def test_a_failed_job_says_why_and_fails_its_run(world: Any, tmp_path: Path) -> None:
    script = tmp_path / "bad.py"
    script.write_text("raise SystemExit('no such column: income')\n")
    with pytest.raises(TrainingFailed, match="no such column: income"):
        world.tenant("alice").train(script, on_log=lambda _: None)
    assert [run["info"]["status"] for run in world.runs.values()] == ["FAILED"]


def test_a_run_without_a_job_is_ended_and_one_with_a_job_is_followed(
    world: Any, tmp_path: Path, onnx_file: Callable[..., bytes]
) -> None:
    """What a killed process leaves behind: first a run only, then a run and its job."""
    folder = tmp_path / "w"
    (folder / "out").mkdir(parents=True)
    (folder / "train.py").write_text(TRAIN)
    (folder / "out/model.onnx").write_bytes(onnx_file())
    alice = world.tenant("alice")
    package = build("train.py", data=[], working_dir=folder, params={})
    registry = world.registry()
    tags = {"falaj.package": f"sha256:{package.digest}"}
    orphan = registry.create_run(registry.experiment("default"), "train", tags)["info"]["run_id"]
    arguments: dict[str, Any] = {"working_dir": folder, "reuse": True, "on_log": lambda _: None}
    first = alice.train("train.py", **arguments)
    assert registry.get_run(orphan)["info"]["status"] == "KILLED"
    world.runs[first.id]["info"]["status"] = "RUNNING"
    again = alice.train("train.py", **arguments)
    assert (again.id, again.reused) == (first.id, False)
    assert len(world.jobs) == 1


def test_a_run_whose_job_cannot_be_started_is_failed(world: Any, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("")
    world.refuse["/api/v1/namespaces/tenant-demo/services/http:ray:8265/proxy/api/packages"] = 403
    with pytest.raises(Forbidden):
        world.tenant("alice").train(script)
    assert [run["info"]["status"] for run in world.runs.values()] == ["FAILED"]


def test_only_what_was_reviewed_is_approved(world: Any, onnx_file: Callable[..., bytes]) -> None:
    """Even where somebody has put another signed model in its place, and with the early check left out."""
    alice, bob = world.tenant("alice"), world.tenant("bob")
    version = alice.register(alice.sign(world.add_run({"model.onnx": onnx_file()})), "credit")
    world.alter(version.run_id, "model.onnx", onnx_file(5.0))
    for check in (True, False):
        with pytest.raises(UsageError, match=f"not {version.digest} as reviewed"):
            bob.approve("credit", version.version, digest=version.digest, check=check)
    assert alice.versions("credit")[0].approval is None
    assert not any(record["action"] == "model.approved" for record in alice.audit_records())


def test_files_changed_between_training_and_signing_are_not_signed(world: Any, onnx_file: Callable[..., bytes]) -> None:
    alice = world.tenant("alice")
    run = world.add_run({"model.onnx": onnx_file()})
    world.alter(run, "model.onnx", onnx_file(5.0))
    for check in (True, False):
        with pytest.raises(UsageError, match="its job logged sha256:"):
            alice.sign(run, check=check)
    # With MLflow's tag changed as well, the audit log still says what was trained.
    altered = world.add_run({"model.onnx": onnx_file(5.0)}, member="lead")
    world.registry().log(run, tags={"falaj.digest": alice.run(altered).digest})
    with pytest.raises(UsageError, match="does not say that alice trained"):
        alice.sign(run)


def test_a_run_that_logged_no_model_is_signed_only_past_the_check(world: Any, onnx_file: Callable[..., bytes]) -> None:
    registry, alice = world.registry(), world.tenant("alice")
    run = registry.create_run(registry.experiment("e"), "r", {})["info"]["run_id"]
    registry.upload(run, "model/model.onnx", onnx_file())
    with pytest.raises(UsageError, match="its job logged no model"):
        alice.sign(run)
    assert alice.sign(run, check=False).digest.startswith("sha256:")


def test_only_ones_own_runs_are_reused(world: Any, tmp_path: Path, onnx_file: Callable[..., bytes]) -> None:
    """Whoever may write MLflow could have made a run with the same tag; only what the audit log knows is reused."""
    folder = tmp_path / "w"
    (folder / "out").mkdir(parents=True)
    (folder / "train.py").write_text(TRAIN)
    (folder / "out/model.onnx").write_bytes(onnx_file())
    package = {"falaj.package": f"sha256:{build('train.py', data=[], working_dir=folder, params={}).digest}"}
    finished = world.add_run({"model.onnx": onnx_file(5.0)}, member="lead")
    running = world.add_run({"model.onnx": onnx_file(6.0)}, member="lead")
    for run in (finished, running):
        world.registry().log(run, tags=package)
    world.runs[running]["info"]["status"] = "RUNNING"
    world.jobs[job_of(running)] = {"status": "SUCCEEDED", "message": "", "logs": ""}
    arguments: dict[str, Any] = {"working_dir": folder, "reuse": True, "on_log": lambda _: None}
    run = world.tenant("alice").train("train.py", **arguments)
    assert (run.id not in (finished, running), run.reused) == (True, False)
    assert world.tenant("alice").train("train.py", **arguments).id == run.id
    assert world.tenant("lead").train("train.py", **arguments).id != run.id


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no rows"),
        ([{"a": 1}], "row 0 lacks b"),
        ([{"a": 1, "b": 2, "c": 3}], "unknown column c"),
        ([[1, 2], [1]], "different lengths"),
        (["ab"], "neither a list nor a dict"),
    ],
)
def test_rows_that_do_not_fit_are_said_to(
    world: Any, approved: Callable[..., Any], rows: list[Any], message: str
) -> None:
    world.tenant("omar").deploy("credit", approved().version)
    with pytest.raises(UsageError, match=message):
        world.tenant("alice").predict("credit", rows)


def test_wrong_values_are_refused_by_the_replica(world: Any, approved: Callable[..., Any]) -> None:
    world.tenant("omar").deploy("credit", approved().version)
    for rows in ([[1, 2, 3]], [["a", "b"]], [[None, 1]]):
        with pytest.raises(ServiceError, match="400"):
            world.tenant("alice").predict("credit", rows)


@pytest.mark.parametrize("name", ["model/../../evil", "model/a\\b", "model//x", "elsewhere/x", "model/."])
def test_names_that_leave_the_folder_are_not_fetched(world: Any, tmp_path: Path, name: str) -> None:
    run = world.add_run({"model.onnx": b"x"})
    world._mlflow_artifacts_list = lambda q: (200, {"files": [{"path": name}]})
    with pytest.raises(ModelProblem, match="unsafe name"):
        world.registry().download_model(run, tmp_path / "target")
    assert not (tmp_path / "evil").exists()


def test_a_name_listed_twice_is_a_clear_error(world: Any, tmp_path: Path) -> None:
    run = world.add_run({"model.onnx": b"x"})
    world._mlflow_artifacts_list = lambda q: (200, {"files": [{"path": "model/model.onnx"}] * 2})
    with pytest.raises(ModelProblem, match="cannot be stored"):
        world.registry().download_model(run, tmp_path / "target")


def test_nothing_is_fetched_for_what_is_not_signed_and_approved(
    world: Any, onnx_file: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = world.tenant("alice")
    run = world.add_run({"model.onnx": onnx_file()})
    unapproved = alice.register(alice.sign(run), "credit")
    unsigned = alice.register(SignedModel(run, unapproved.digest, ""), "other")
    fetched: list[str] = []
    monkeypatch.setattr(Registry, "download_model", lambda self, run_id, *_: fetched.append(run_id))
    assert refused(world, unapproved) == ("CHG-01",)
    assert refused(world, unsigned) == ("SUP-01", "CHG-01")
    assert fetched == []


@pytest.mark.parametrize(
    ("paths", "rule"),
    [
        (["model/../x"], "SUP-07"),
        (["model/model.onnx"] * 2, "SUP-07"),
        (["model/model.onnx", "model/model.onnx/x"], "SUP-07"),
        (["model/" + "x" * 300], "SUP-07"),
        ([f"model/{number}" for number in range(3)], "SUP-07"),
        (["model/model.onnx", "model/falaj.json"], "SUP-01"),
    ],
    ids=["unsafe", "twice", "file and folder", "too long", "too many", "too large"],
)
def test_files_that_cannot_be_taken_are_refused_for_good(
    world: Any, approved: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, paths: list[str], rule: str
) -> None:
    """By a rule, recorded, and withdrawn: not tried again as if something were down."""
    version = approved()
    monkeypatch.setattr("falaj.registry.MAX_FILES", 2)
    if rule == "SUP-01":
        world.replica._loader._max_bytes = 100
    for path in paths:
        world.artifacts[f"1/{version.run_id}/artifacts/{path}"] = b"x" * 101
    world._mlflow_artifacts_list = lambda q: (200, {"files": [{"path": path} for path in paths]})
    assert refused(world, version) == (rule,)
    assert world.config_maps["serving"]["data"] == {}
    (record,) = [r for r in world.tenant("omar").audit_records() if r["action"] == "serving.refused"]
    assert record["detail"]["rules"] == [rule]


def test_only_declared_decisions_are_recorded_by_value(world: Any, onnx_file: Callable[..., bytes]) -> None:
    """An output that nobody declared could give a person's data back."""
    alice, bob, omar = world.tenant("alice"), world.tenant("bob"), world.tenant("omar")
    for described in (b'{"version":1,"features":["a","b"]}', b'{"version":1,"decisions":["score"]}'):
        run = world.add_run({"model.onnx": onnx_file(), "falaj.json": described})
        version = alice.register(alice.sign(run), "credit")
        bob.approve("credit", version.version, digest=version.digest)
        omar.deploy("credit", version.version)
        alice.predict("credit", [[1, 2], [3, 4]])
        world.tally.flush()
        (record,) = (
            record
            for record in alice.audit_records()
            if record["action"] == "serving.inferences" and record["subject"] == version.digest
        )
        assert record["detail"] == {"requests": 1, "rows": 2, "errors": 0, "decisions": {}}


@pytest.mark.parametrize(
    ("described", "message"),
    [
        (b"[]", "no JSON object"),
        (b'{"features": "a"}', "list of names `features`"),
        (b'{"decisions": [1]}', "list of names `decisions`"),
        (b'{"decisions": ["label", "verdict"]}', "no outputs: verdict"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(
    world: Any, onnx_file: Callable[..., bytes], described: bytes, message: str
) -> None:
    alice, bob, omar = world.tenant("alice"), world.tenant("bob"), world.tenant("omar")
    version = alice.register(alice.sign(world.add_run({"model.onnx": onnx_file(), "falaj.json": described})), "credit")
    bob.approve("credit", version.version, digest=version.digest)
    with pytest.raises(GateRefused, match=message):
        omar.deploy("credit", version.version)


def test_an_expired_token_asks_for_a_new_login(world: Any) -> None:
    tenant = world.tenant("alice")
    world.tokens.clear()
    with pytest.raises(NotLoggedIn, match="falaj login"):
        tenant.status()


def test_no_secret_shows(world: Any) -> None:
    tenant = world.tenant("alice")
    tokens = [
        item.get_secret_value() for item in (tenant.session.credentials.token, tenant.session.credentials.audit_token)
    ]
    tenant.status()
    for value in (tenant, tenant.session, tenant.session.credentials, tenant.session.vault, tenant.session.serving):
        assert not any(token in repr(value) for token in tokens)
    assert not any(token in json.dumps(world.connection.model_dump(mode="json")) for token in tokens)
