"""`falaj.connect()`: a tenant as one member sees it, and a model's whole way on it.

What is checked here before a step is an early message. What decides stands elsewhere: Vault lets a member sign only
with keys of that member's name, Kubernetes lets only some deploy, and the serving replica verifies everything again
when it loads. `check=False` leaves the early message out and changes nothing about the gate.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from falaj import credentials, inference
from falaj.canonical import number_text
from falaj.deployment import Serving
from falaj.dsse import Envelope, make_statement, seal
from falaj.errors import FalajError, NotFound, StatementError, TrainingFailed, UsageError
from falaj.gate import judge, model_fact, refuse
from falaj.home import credentials_folder
from falaj.modelfiles import digest_of_files, read_model
from falaj.models import Deployment, Evaluation, ModelVersion, SignedModel
from falaj.package import Package, build
from falaj.session import Session
from falaj.training import Run, job_of, to_stderr
from falaj_policies import RULE_SET_VERSION, Stage
from falaj_policies.rules.model import (
    APPROVAL_KEY_PREFIX,
    APPROVAL_PREDICATE,
    SIGNATURE_PREDICATE,
    SIGNING_KEY_PREFIX,
)

__all__ = ["Tenant", "connect"]

_BEFORE_SIGNING = ("SUP-02", "SUP-07")
_BEFORE_APPROVAL = ("SUP-01", "SUP-02", "SUP-07", "CRY-05")


def connect(tenant: str | None = None, member: str | None = None) -> Tenant:
    """The tenant that this machine is logged in to (`falaj login`), as the member that logged in.

    `tenant` and `member` (else FALAJ_TENANT and FALAJ_MEMBER) choose among several logins. Raises NotLoggedIn.
    """
    folder = credentials_folder()
    found = credentials.find(folder, tenant or os.environ.get("FALAJ_TENANT"), member or os.environ.get("FALAJ_MEMBER"))
    return Tenant(Session(found, folder))


class Tenant:
    """One tenant as one member. Every step of a model's way is recorded in the tenant's audit log."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __repr__(self) -> str:
        return f"Tenant({self.name!r}, member={self.member!r})"

    @property
    def name(self) -> str:
        return self._session.credentials.tenant

    @property
    def member(self) -> str:
        return self._session.credentials.member

    @property
    def session(self) -> Session:
        """The connections behind this: the connection document, the registry, the vault, the audit log."""
        return self._session

    # Train

    def train(
        self,
        script: str | Path,
        *,
        data: Sequence[str | Path] = (),
        working_dir: str | Path | None = None,
        params: Mapping[str, Any] | None = None,
        experiment: str = "default",
        reuse: bool = False,
        timeout: float = 3600.0,
        on_log: Callable[[str], None] = to_stderr,
    ) -> Run:
        """Runs `script` as a job on the tenant's Ray cluster and waits for it.

        The script, the `data` files and everything below `working_dir` travel with the job (100 MiB at most); inside,
        `falaj.job()` gives params and data and takes the model. With `reuse`, a finished run of exactly the same files
        and params is returned instead, and one that still runs is followed: one that the audit log knows as this
        member's, since anybody in the tenant may write MLflow's tags. Raises TrainingFailed.
        """
        package = build(script, data=data, working_dir=working_dir, params=params or {})
        registry, jobs = self._session.registry, self._session.jobs
        experiment_id = registry.experiment(experiment)
        key = f"sha256:{package.digest}"
        run_id = ""
        for run in registry.find_runs(experiment_id, "falaj.package", key) if reuse else []:
            known = Run.from_mlflow(run, reused=True)
            if run["info"]["status"] == "FINISHED" and self._trained(known.id, known.digest):
                return known
            if run["info"]["status"] == "RUNNING" and not run_id:
                if not jobs.status(job_of(known.id)):
                    # Whoever started it went away before its job was there.
                    registry.end_run(known.id, "KILLED")
                elif self._did("model.training-started", known.id, {"package": key}):
                    run_id = known.id
        run_id = run_id or self._start(package, experiment_id, Path(script).stem)
        try:
            jobs.follow(job_of(run_id), on_log, timeout)
        except TrainingFailed:
            registry.end_run(run_id, "FAILED")
            raise
        except KeyboardInterrupt:
            jobs.stop(job_of(run_id))
            registry.end_run(run_id, "KILLED")
            raise
        registry.log(run_id, params={str(k): str(v)[:500] for k, v in (params or {}).items()})
        done = Run.from_mlflow(registry.get_run(run_id))
        # Recorded first: a run that is finished without a record would never be reused.
        self._record("model.trained", done.digest or run_id, {"run": run_id, "metrics": _texts(done.metrics)})
        registry.end_run(run_id, "FINISHED")
        return done

    def _start(self, package: Package, experiment_id: str, name: str) -> str:
        """A new run and its job; a run whose job could not be started is marked as failed."""
        registry = self._session.registry
        data = {name: f"sha256:{digest}" for name, digest in package.data.items()}
        tags = {"falaj.package": f"sha256:{package.digest}", "falaj.member": self.member}
        tags |= {f"falaj.data.{name}": digest for name, digest in data.items()}
        run_id = str(registry.create_run(experiment_id, name, tags)["info"]["run_id"])
        try:
            self._record("model.training-started", run_id, {"package": f"sha256:{package.digest}", "data": data})
            self._session.jobs.submit(package, run_id)
        except FalajError:
            registry.end_run(run_id, "FAILED")
            raise
        return run_id

    def run(self, run_id: str) -> Run:
        """A run by its id. Raises NotFound."""
        return Run.from_mlflow(self._session.registry.get_run(run_id))

    def evaluate(self, run: Run, *, bars: Mapping[str, float]) -> Evaluation:
        """Compares a run's metrics with the least values wanted; a metric that is missing or no number does not pass.

        The outcome is recorded with the run and in the audit log. It raises nothing: look at `.passed`.
        """
        results = {}
        for metric, bar in bars.items():
            value = run.metrics.get(metric)
            results[metric] = (value, bar, value is not None and value >= bar)
        evaluation = Evaluation(run.id, results)
        verdict = "passed" if evaluation.passed else "failed"
        self._session.registry.log(run.id, tags={"falaj.evaluation": verdict})
        detail = {
            metric: {"value": "" if value is None else number_text(value), "bar": number_text(bar), "passed": passed}
            for metric, (value, bar, passed) in results.items()
        }
        self._record(f"model.evaluation-{verdict}", run.digest or run.id, {"run": run.id, "results": detail})
        return evaluation

    # Sign, register, approve

    def sign(self, run: Run | str, *, check: bool = True) -> SignedModel:
        """Signs a run's model with this member's own key (`sign-<member>`): a statement over the digest of its files.

        Raises UsageError when the files are not those that the job logged, or when the audit log does not say that this
        member trained them; GateRefused (formats, names); Forbidden when this member may not sign. With `check=False`
        what is there is signed, unless its job logged something else.
        """
        known = self.run(run) if isinstance(run, str) else run
        with tempfile.TemporaryDirectory(prefix="falaj-") as folder:
            self._session.registry.download_model(known.id, Path(folder))
            files = read_model(Path(folder))
        digest = digest_of_files(files)
        if known.digest != digest and (check or known.digest):
            logged = known.digest or "no model"
            raise UsageError(f"the files of run {known.id} are {digest}, its job logged {logged}: train again")
        if check:
            if not self._trained(known.id, digest):
                raise UsageError(
                    f"the audit log does not say that {self.member} trained {digest} in run {known.id}: train it with "
                    "tenant.train(), or sign with check=False what was made elsewhere"
                )
            fact = model_fact(
                name="", version="", files=files, signature=None, approval=None, read_key=self._session.vault.public_key
            )
            refuse(judge(fact, Stage.DEPLOY, _BEFORE_SIGNING), "check before signing")
        predicate = {
            "author": self.member,
            "tenant": self.name,
            "run": known.id,
            "time": _now(),
            "metrics": _texts(known.metrics),
            "ruleSet": RULE_SET_VERSION,
        }
        payload = make_statement("model", digest, SIGNATURE_PREDICATE, predicate)
        key = f"{SIGNING_KEY_PREFIX}{self.member}"
        envelope = seal(payload, key, lambda message: self._session.vault.sign(key, message))
        self._record("model.signed", digest, {"run": known.id, "key": f"{envelope.key}:v{envelope.key_version}"})
        return SignedModel(run_id=known.id, digest=digest, signature=envelope.to_json())

    def register(self, model: SignedModel, name: str, *, reuse: bool = True) -> ModelVersion:
        """Enters a signed model into the registry as a new version of `name`.

        With `reuse`, a version of `name` with the same digest and author's key is returned instead.
        """
        _check_name(name)
        if reuse:
            for known in self._versions(name):
                if (known.digest, known.run_id) == (model.digest, model.run_id) and _same_key(known, model):
                    return known
        tags = {"falaj.digest": model.digest}
        if model.signature:
            tags["falaj.signature"] = model.signature
        version = self._session.registry.create_version(name, model.run_id, tags)
        self._record("model.registered", model.digest, {"model": name, "version": version.version, "run": model.run_id})
        return version

    def versions(self, name: str) -> list[ModelVersion]:
        """Every version of `name`, newest first; empty when there is none."""
        return self._versions(name)

    def approve(self, name: str, version: str, *, digest: str, check: bool = True) -> ModelVersion:
        """Approves a version with this member's own approval key: a statement over its digest, name and version.

        `digest` is what this member has reviewed. The files are fetched and judged before: signature, formats, names,
        and that this member is not the author. Raises UsageError when they are not what was reviewed, GateRefused, or
        Forbidden when this member may not approve.
        """
        found = self._session.registry.version(name, version)
        fact = self._fact(found)
        if fact.digest != digest:
            raise UsageError(f"the files of {name} version {version} are {fact.digest}, not {digest} as reviewed")
        if check:
            findings = judge(fact, Stage.DEPLOY, _BEFORE_APPROVAL)
            if not findings and fact.signature and fact.signature.key == f"{SIGNING_KEY_PREFIX}{self.member}":
                raise _own_model(found.digest, self.member)
            refuse(findings, "check before approval")
        predicate = {
            "approver": self.member,
            "tenant": self.name,
            "model": name,
            "version": version,
            "time": _now(),
            "ruleSet": RULE_SET_VERSION,
        }
        payload = make_statement("model", fact.digest, APPROVAL_PREDICATE, predicate)
        key = f"{APPROVAL_KEY_PREFIX}{self.member}"
        envelope = seal(payload, key, lambda message: self._session.vault.sign(key, message))
        self._record("model.approved", fact.digest, {"model": name, "version": version})
        self._session.registry.set_version_tag(name, version, "falaj.approval", envelope.to_json())
        return self._session.registry.version(name, version)

    # Deploy, predict, roll back

    def deploy(self, name: str, version: str, *, check: bool = True, timeout: float = 120.0) -> Deployment:
        """Asks for a version to be served and waits until the replica has verified and loaded it, or refused it.

        A refused version is withdrawn and what was served goes on being served. Raises GateRefused with the rules;
        Forbidden when this member may not deploy.
        """
        found = self._session.registry.version(name, version)
        if check:
            refuse(judge(self._fact(found), Stage.DEPLOY), "deploy gate")
        detail = {"model": name, "version": version}
        # Asking is on record even if whoever asks does not live to see the verdict.
        changed = self._serving.deploy(found, timeout, lambda: self._record("model.deploy-asked", found.digest, detail))
        if changed:
            self._record("model.deployed", found.digest, detail)
        return Deployment(name, version, found.digest, changed)

    def rollback(self, name: str, *, timeout: float = 120.0) -> Deployment:
        """Serves the version of `name` that was served before the present one, by the audit log; verified like any
        other.

        Raises NotFound when there is no earlier one.
        """
        served = self.status().get("served") or {}
        present = str(served.get("version", "")) if served.get("model") == name else ""
        earlier = _served_before(self.audit_records(), name, present)
        if earlier is None:
            raise NotFound(f"no earlier version of {name!r} was served", status=404)
        self._record("model.rollback", str(served.get("digest", "")), {"model": name, "from": present, "to": earlier})
        return self.deploy(name, earlier, timeout=timeout)

    def undeploy(self, *, timeout: float = 60.0) -> bool:
        """Ends serving: the switch to reach for when a model does harm. False when nothing was served.

        Raises Forbidden when this member may not deploy.
        """
        self._record("model.undeploy-asked", "", {})
        return self._serving.clear(timeout)

    def predict(self, name: str, rows: Sequence[Any]) -> list[dict[str, Any]]:
        """The served model's outputs, a dict for each row. A row is a list of values, or a dict by column name.

        Raises NotFound: that model is not served; UsageError: rows that do not fit its inputs.
        """
        body = inference.request_body(self._serving.describe(name), rows)
        return inference.rows_of(self._serving.predict(name, body), len(rows))

    def status(self) -> dict[str, Any]:
        """The serving replica's account: what is wanted, served, refused and why."""
        return self._serving.status()

    def audit_records(self) -> list[dict[str, Any]]:
        """The tenant's audit records from the first on, not verified (`falaj audit verify` does)."""
        import json

        return [json.loads(line) for line in self._session.audit.lines()]

    @property
    def _serving(self) -> Serving:
        return Serving(self._session.kube, self._session.serving, self._session.connection.namespace)

    def _versions(self, name: str) -> list[ModelVersion]:
        try:
            return self._session.registry.versions(name)
        except NotFound:
            return []

    def _fact(self, version: ModelVersion) -> Any:
        with tempfile.TemporaryDirectory(prefix="falaj-") as folder:
            self._session.registry.download_model(version.run_id, Path(folder))
            files = read_model(Path(folder))
        return model_fact(
            name=version.name,
            version=version.version,
            files=files,
            expected=version.digest,
            signature=version.signature,
            approval=version.approval,
            read_key=self._session.vault.public_key,
        )

    def _trained(self, run_id: str, digest: str) -> bool:
        return bool(digest) and self._did("model.trained", digest, {"run": run_id})

    def _did(self, action: str, subject: str, detail: Mapping[str, str]) -> bool:
        """Whether the audit log has that this member did this."""
        return any(
            (record["actor"], record["action"], record["subject"]) == (self.member, action, subject)
            and all(record["detail"].get(key) == value for key, value in detail.items())
            for record in self.audit_records()
        )

    def _record(self, action: str, subject: str, detail: Mapping[str, Any]) -> None:
        self._session.audit.append(action, subject, detail)


def _own_model(digest: str, member: str) -> Exception:
    from falaj.errors import GateRefused
    from falaj_policies import RULES, Finding

    rule = next(rule for rule in RULES if rule.id == "IAM-05")
    message = f"{member} signed it and cannot approve it"
    return GateRefused([Finding(rule.id, digest, message, rule.severity, rule.remedy)], where="check before approval")


def _served_before(records: Sequence[Mapping[str, Any]], name: str, present: str) -> str | None:
    """The version of `name` to go back to. Going back twice goes back two versions: what was left is forgotten."""
    history: list[str] = []
    for record in records:
        if record["action"] != "serving.loaded" or record["actor"] != "serving":
            continue
        if record["detail"].get("model") != name:
            continue
        version = str(record["detail"].get("version", ""))
        history = history[: history.index(version) + 1] if version in history else [*history, version]
    if history and history[-1] == present:
        history.pop()
    return history[-1] if history else None


def _same_key(known: ModelVersion, model: SignedModel) -> bool:
    if not known.signature or not model.signature:
        return False
    try:
        return Envelope.parse(known.signature).key == Envelope.parse(model.signature).key
    except StatementError:
        return False


def _check_name(name: str) -> None:
    import re

    if not re.fullmatch(r"[a-z0-9]([-a-z0-9_.]{0,98}[a-z0-9])?", name):
        raise UsageError(f"a model's name has lower-case letters, digits, '-', '_' and '.': not {name!r}")


def _texts(metrics: Mapping[str, float]) -> dict[str, str]:
    return {key: number_text(value) for key, value in metrics.items()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
