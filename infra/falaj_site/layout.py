"""Where the parts of a site lie, seen from this machine and from inside its namespaces, and their fixed numbers.

Every site has its own network, so the addresses and ports inside are constants; only the ports on 127.0.0.1 differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from falaj_site.control_plane import ControlPlane

__all__ = [
    "CONTAINERD_SOCKET",
    "DNS_IP",
    "INSIDE",
    "NODE_IP",
    "NODE_NAME",
    "PAUSE_IMAGE",
    "POD_CIDR",
    "Layout",
    "Ports",
]

INSIDE = Path("/run/falaj")
CONTAINERD_SOCKET = Path("/run/containerd/containerd.sock")
NODE_NAME = "falaj"
NODE_IP = "10.90.0.1"
POD_CIDR = "10.91.0.0/24"
DNS_IP = "10.92.0.10"
PAUSE_IMAGE = "localhost/falaj/pause:v1"


class Ports:
    """TCP ports inside the site's network."""

    API = 6443
    ETCD = 2379
    ETCD_PEER = 2380
    CONTROLLER_MANAGER = 10257
    SCHEDULER = 10259
    KUBELET = 10250
    KUBELET_HEALTH = 10248
    PROXY_HEALTH = 10256
    PROXY_METRICS = 10249
    CONTAINERD_METRICS = 1338
    DNS_HEALTH = 8080
    DNS_READY = 8181
    OPENBAO = 8200
    OPENBAO_CLUSTER = 8201
    VOLUMES_HEALTH = 10260


@dataclass(frozen=True)
class Layout:
    """The folders under `root`: the site's directory here (`$FALAJ_HOME/site`), or `INSIDE` in its namespaces."""

    root: Path

    @property
    def facts(self) -> Path:
        """`site.json`: the site's identity, its ports on 127.0.0.1, what runs."""
        return self.root / "site.json"

    @property
    def state(self) -> Path:
        """`state.json`: what the supervisor says of each component."""
        return self.root / "state.json"

    @property
    def kubeconfig(self) -> Path:
        return self.root / "kubeconfig"

    @property
    def pki(self) -> Path:
        return self.root / "pki"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    @property
    def config(self) -> Path:
        return self.root / "config"

    @property
    def openbao(self) -> Path:
        return self.root / "openbao"

    @property
    def volumes(self) -> Path:
        return self.root / "volumes"

    @property
    def lock(self) -> Path:
        """Held by the site's first process for as long as it lives."""
        return self.root / "init.lock"

    @property
    def plane(self) -> ControlPlane:
        return ControlPlane(
            folder=self.root,
            address=NODE_IP,
            api_port=Ports.API,
            etcd_port=Ports.ETCD,
            etcd_peer_port=Ports.ETCD_PEER,
        )
