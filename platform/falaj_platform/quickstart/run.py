"""The quickstart, from an empty machine to a governed model in production. Running it again changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from falaj import Tenant
from falaj.kube import Kube
from falaj.kubeconfig import Cluster, read_kubeconfig
from falaj.login import log_in
from falaj.session import Session
from falaj_platform.errors import QuickstartError
from falaj_platform.image.build import build_image
from falaj_platform.image.build import check as check_image
from falaj_platform.quickstart import cluster, isolation, model, provision, refusals
from falaj_platform.quickstart.report import Recorder, Report
from falaj_site import preflight
from falaj_site.home import private_folder
from falaj_site.progress import Progress
from falaj_site.site import Site

__all__ = ["STEPS", "run"]

STEPS = (
    "embedded site",
    "platform image",
    "region-local",
    "tenant-demo",
    "tenant-other",
    "log in",
    "train version 1",
    "train version 2",
    "deploy and roll back",
    "predict",
    "refuse what must not serve",
    "isolation between tenants",
    "verify the audit log",
)


def run(project: Path, home: Path, progress: Progress, report: Report) -> None:
    """Fills `report` step by step. Raises what the parts raise: each is one line for a person."""
    steps = Recorder(report, progress)
    site = Site(home)
    # Everything that this machine may lack is told before anything is changed.
    preflight.check(home)
    check_image(home)
    with steps.step(STEPS[0]) as detail:
        detail.append("started" if site.up(progress) else "nothing to change")
        status = site.status()
        report.site = {
            "components": len(status.components),
            "enforces_network_policy": status.enforces_network_policy,
            "enforces_seccomp": status.enforces_seccomp,
        }
        if not status.enforces_network_policy:
            detail.append(
                "NetworkPolicy is not enforced on this site: "
                "its pods reach each other across tenants, but no other machine"
            )
    # The site planned steps of its own; from here on they are these.
    progress.plan(STEPS[1:])
    with steps.step(STEPS[1]) as detail:
        image = build_image(home, progress)
        detail.append(image.reference)
        if image.reference not in site.images():
            progress.note("  importing the image into the site")
            site.import_image(image.archive)
    stacks = provision.workspace(project, home, progress)
    api = read_kubeconfig(site.endpoints().kubeconfig)
    kube = Kube(api.http())
    with provision.site_environment(site):
        with steps.step(STEPS[2]) as detail:
            provision.configure_region(stacks, site, image.reference)
            detail.append(provision.bring_up(stacks, provision.REGION))
        for step, tenant in zip(STEPS[3:5], provision.TENANTS, strict=True):
            with steps.step(step) as detail:
                detail.append(provision.bring_up(stacks, f"tenant-{tenant}"))
                cluster.await_services(kube, f"tenant-{tenant}", progress)
    credentials = private_folder(home / "credentials")
    with steps.step(STEPS[5]) as detail:
        people = model.People(
            data_scientist=_member(api, credentials, "demo", "data-scientist"),
            approver=_member(api, credentials, "demo", "approver"),
            operator=_member(api, credentials, "demo", "operator"),
            lead=_member(api, credentials, "demo", "lead"),
        )
        stranger = _member(api, credentials, "other", "data-scientist")
        detail.append("demo as data-scientist, approver, operator, lead; other as data-scientist")
    _models(project / "examples" / "mortgage", people, stranger, credentials, steps, progress, report)
    report.nodes = cluster.nodes(kube)
    report.pods = cluster.pods(kube)


def _models(
    example: Path,
    people: model.People,
    stranger: Tenant,
    credentials: Path,
    steps: Recorder,
    progress: Progress,
    report: Report,
) -> None:
    versions = []
    for index, step in enumerate(STEPS[6:8]):
        with steps.step(step) as detail:
            version = model.train(people, example, index, progress)
            versions.append(version)
            detail.append(f"{version.name} version {version.version} {version.digest[:19]}…: signed, approved")
    first, second = versions
    with steps.step(STEPS[8]) as detail:
        report.rollback = model.rolled_back(people, first, second)
        detail.append(
            f"version {first.version}, then {second.version}, then rolled back to {first.version}"
            if report.rollback["done_now"]
            else "nothing to change"
        )
    report.model = {"name": first.name, "digest": first.digest, "version": first.version}
    with steps.step(STEPS[9]) as detail:
        report.prediction = model.predict(people, example)
        risk = report.prediction["answer"]["probabilities"][1]
        detail.append(f"risk of denial {risk:.0%} (denied in 1990: {report.prediction['denied_in_1990']})")
    with steps.step(STEPS[10]) as detail:
        report.refused = refusals.try_all(people, first)
        detail.extend(f"{refusal.case}: {refusal.rule}" for refusal in report.refused)
    with steps.step(STEPS[11]) as detail:
        report.isolation = isolation.attempts(people.data_scientist, stranger, credentials)
        open_doors = [attempt for attempt in report.isolation if not attempt.refused]
        if open_doors:
            raise QuickstartError(f"the tenant other could {open_doors[0].tried} of demo: {open_doors[0].answer}")
        detail.append(f"{len(report.isolation)} attempts, all refused")
    with steps.step(STEPS[12]) as detail:
        report.audit = _verified(people.operator)
        detail.append(f"{report.audit['records']} records hold")


def _member(api: Cluster, folder: Path, tenant: str, member: str) -> Tenant:
    credentials = log_in(api, tenant, member)
    credentials.save(folder)
    return Tenant(Session(credentials, folder))


def _verified(member: Tenant) -> dict[str, Any]:
    from falaj.audit.record import verify

    verdict = verify(list(member.session.audit.lines()), None)
    if not verdict.ok:
        raise QuickstartError(f"the audit log does not hold: {verdict.problem}")
    return {"ok": verdict.ok, "records": verdict.records, "head": verdict.head}
