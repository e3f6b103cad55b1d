"""What runs in a site: each component's command, what it waits for, and how it is asked whether it answers."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from falaj_site import control_plane
from falaj_site.layout import INSIDE, NODE_IP, NODE_NAME, Layout, Ports
from falaj_site.probe import Probe

__all__ = ["FORWARDS", "Component", "components"]

# Name in `site.json` to where the forwarder takes what comes in on that port of 127.0.0.1.
FORWARDS: Mapping[str, tuple[str, int]] = {
    "kubernetes": (NODE_IP, Ports.API),
    "openbao": (NODE_IP, Ports.OPENBAO),
}

_INSIDE = Layout(INSIDE)


@dataclass(frozen=True, kw_only=True)
class Component:
    """One supervised program.

    It starts when every component in `after` has answered once. `probe` is how it is asked; without one it counts as
    answering while it runs. `inherits` says that it gets the listening sockets made outside the site's network.
    """

    name: str
    command: tuple[str, ...]
    after: tuple[str, ...] = ()
    probe: Probe | None = None
    inherits: bool = False


def components(openbao: Path, sockets: Mapping[str, int]) -> Sequence[Component]:
    """All components, in an order in which they can start. `sockets` maps a forward's name to its descriptor."""
    config, bin_, pki = _INSIDE.config, _INSIDE.bin, _INSIDE.pki

    def kubeconfig(name: str) -> str:
        return f"--kubeconfig={config / name}.kubeconfig"

    def own_port(name: str, port: int) -> tuple[str, ...]:
        return (
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--tls-cert-file={pki / name}.crt",
            f"--tls-private-key-file={pki / name}.key",
            "--profiling=false",
        )

    return (
        Component(
            name="etcd",
            command=(str(bin_ / "etcd"), *control_plane.etcd_arguments(_INSIDE.plane)),
            probe=Probe(port=Ports.ETCD, path="/health", identity="etcd-client"),
        ),
        Component(
            name="kube-apiserver",
            command=(str(bin_ / "kube-apiserver"), *control_plane.apiserver_arguments(_INSIDE.plane)),
            after=("etcd",),
            probe=Probe(host=NODE_IP, port=Ports.API, path="/readyz", identity="admin"),
        ),
        Component(
            name="openbao",
            command=(str(openbao), "server", f"-config={config / 'openbao.hcl'}", "-log-level=warn"),
            probe=Probe(
                host=NODE_IP, port=Ports.OPENBAO, path="/v1/sys/health?standbyok=true&uninitcode=200", identity="admin"
            ),
        ),
        Component(
            name="containerd",
            command=(str(bin_ / "containerd"), "--config", str(config / "containerd.toml"), "--log-level", "warn"),
            probe=Probe(port=Ports.CONTAINERD_METRICS, path="/v1/metrics"),
        ),
        Component(
            name="forwarder",
            command=(
                sys.executable,
                "-m",
                "falaj_site.forward",
                json.dumps([[sockets[name], *FORWARDS[name]] for name in FORWARDS]),
            ),
            inherits=True,
        ),
        Component(
            name="kube-controller-manager",
            command=(
                str(bin_ / "kube-controller-manager"),
                kubeconfig("kube-controller-manager"),
                *own_port("kube-controller-manager", Ports.CONTROLLER_MANAGER),
                f"--service-account-private-key-file={pki / 'service-account.key'}",
                f"--root-ca-file={pki / 'ca.crt'}",
                "--use-service-account-credentials",
                "--leader-elect=false",
                "--controllers=*,-node-ipam-controller,-node-route-controller,-service-lb-controller",
            ),
            after=("kube-apiserver",),
            probe=Probe(port=Ports.CONTROLLER_MANAGER, path="/healthz", identity="admin"),
        ),
        Component(
            name="kube-scheduler",
            command=(
                str(bin_ / "kube-scheduler"),
                kubeconfig("kube-scheduler"),
                *own_port("kube-scheduler", Ports.SCHEDULER),
                "--leader-elect=false",
            ),
            after=("kube-apiserver",),
            probe=Probe(port=Ports.SCHEDULER, path="/healthz", identity="admin"),
        ),
        Component(
            name="kubelet",
            command=(
                str(bin_ / "kubelet"),
                f"--config={config / 'kubelet.yaml'}",
                kubeconfig("kubelet"),
                f"--hostname-override={NODE_NAME}",
                f"--node-ip={NODE_IP}",
            ),
            after=("kube-apiserver", "containerd"),
            probe=Probe(port=Ports.KUBELET_HEALTH, path="/healthz"),
        ),
        Component(
            name="kube-proxy",
            command=(str(bin_ / "kube-proxy"), f"--config={config / 'kube-proxy.yaml'}"),
            after=("kube-apiserver",),
            probe=Probe(port=Ports.PROXY_HEALTH, path="/livez"),
        ),
        Component(
            name="coredns",
            command=(str(bin_ / "coredns"), "-conf", str(config / "Corefile")),
            after=("kube-apiserver",),
            probe=Probe(port=Ports.DNS_READY, path="/ready"),
        ),
        Component(
            name="volumes",
            command=(sys.executable, "-m", "falaj_site.volumes", str(config / "volumes.kubeconfig")),
            after=("kube-apiserver",),
            probe=Probe(port=Ports.VOLUMES_HEALTH, path="/healthz"),
        ),
    )
