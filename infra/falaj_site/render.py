"""The configuration files of the site's components. All paths are those inside the site's namespaces."""

from __future__ import annotations

import json
from collections.abc import Mapping

import yaml

from falaj_site import control_plane
from falaj_site.home import private_folder, write_private
from falaj_site.layout import (
    CONTAINERD_SOCKET,
    DNS_IP,
    INSIDE,
    NODE_IP,
    NODE_NAME,
    PAUSE_IMAGE,
    POD_CIDR,
    Layout,
    Ports,
)

__all__ = ["cgroup_root", "config_files", "issue_certificates", "write_config"]

_INSIDE = Layout(INSIDE)
OPENBAO_NAMES = ("openbao.falaj-system.svc", "openbao.falaj-system.svc.cluster.local", "openbao.falaj-system")

# Who calls the API server: name, user, groups; and under which name it serves its own health port, if it does.
_CALLERS: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("kubelet", f"system:node:{NODE_NAME}", ("system:nodes",), ()),
    ("kube-controller-manager", "system:kube-controller-manager", (), ("127.0.0.1",)),
    ("kube-scheduler", "system:kube-scheduler", (), ("127.0.0.1",)),
    ("kube-proxy", "system:kube-proxy", (), ()),
    ("coredns", "falaj:coredns", (), ()),
    ("volumes", "falaj:volumes", (), ()),
)


def cgroup_root(site_id: str) -> str:
    """The cgroup of the site's pods, the same in every hierarchy."""
    return f"/falaj-{site_id}"


def issue_certificates(host: Layout) -> None:
    """Every certificate of the site, and the kubeconfigs of its components. `host` is the site's directory here."""
    authority = control_plane.issue(host.plane, (NODE_IP, NODE_NAME))
    authority.issue("kubelet-server", common_name=f"system:node:{NODE_NAME}", hosts=(NODE_IP, NODE_NAME))
    authority.issue("openbao", common_name="openbao", hosts=(*OPENBAO_NAMES, NODE_IP, "127.0.0.1", "localhost"))
    private_folder(host.config)
    server = f"https://{NODE_IP}:{Ports.API}"
    for name, user, groups, hosts in _CALLERS:
        pair = authority.issue(name, common_name=user, groups=groups, hosts=hosts)
        text = control_plane.kubeconfig(server, authority.certificate, pair)
        write_private(host.config / f"{name}.kubeconfig", text)


def config_files(site_id: str, snapshotter: str) -> Mapping[str, str]:
    """File name under `config/` to content."""
    return {
        "kubelet.yaml": yaml.safe_dump(_kubelet(site_id), sort_keys=False),
        "kube-proxy.yaml": yaml.safe_dump(_kube_proxy(), sort_keys=False),
        "containerd.toml": _containerd(snapshotter),
        "cni/10-falaj.conflist": json.dumps(_cni(), indent=2),
        "Corefile": _corefile(),
        "openbao.hcl": _openbao(),
        # Pods that take the node's own resolver find none: nothing outside the site can be reached.
        "resolv.conf": "# no resolver: the site has no way out\n",
    }


def write_config(host: Layout, site_id: str, snapshotter: str) -> None:
    """Writes every configuration file below the site's directory."""
    for name, text in config_files(site_id, snapshotter).items():
        path = host.config / name
        private_folder(path.parent)
        write_private(path, text)


def _kubelet(site_id: str) -> dict[str, object]:
    pki = _INSIDE.pki
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE_IP,
        "port": Ports.KUBELET,
        "readOnlyPort": 0,
        "healthzBindAddress": "127.0.0.1",
        "healthzPort": Ports.KUBELET_HEALTH,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pki / "kubelet-server.crt"),
        "tlsPrivateKeyFile": str(pki / "kubelet-server.key"),
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroup_root(site_id),
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "seccompDefault": True,
        "clusterDNS": [DNS_IP],
        "clusterDomain": "cluster.local",
        "resolvConf": str(_INSIDE.config / "resolv.conf"),
        "maxPods": 60,
        "serializeImagePulls": True,
        # Images are imported, never pulled: one that is collected would be gone for good.
        "imageGCHighThresholdPercent": 100,
        "imageMaximumGCAge": "0s",
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
        },
        "systemReserved": {"cpu": "100m", "memory": "512Mi"},
        "containerLogMaxSize": "10Mi",
        "podLogsDir": str(_INSIDE.logs / "pods"),
        "volumePluginDir": str(INSIDE / "kubelet-plugins"),
        "syncFrequency": "30s",
        "nodeStatusUpdateFrequency": "5s",
        "logging": {"verbosity": 1},
    }


def _kube_proxy() -> dict[str, object]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "bindAddress": NODE_IP,
        "hostnameOverride": NODE_NAME,
        "clusterCIDR": POD_CIDR,
        "detectLocalMode": "ClusterCIDR",
        "clientConnection": {"kubeconfig": str(_INSIDE.config / "kube-proxy.kubeconfig")},
        "healthzBindAddress": f"127.0.0.1:{Ports.PROXY_HEALTH}",
        "metricsBindAddress": f"127.0.0.1:{Ports.PROXY_METRICS}",
        "oomScoreAdj": 0,
        "iptables": {"localhostNodePorts": False, "minSyncPeriod": "0s"},
        # These are settings of the whole machine: leave them as they are.
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
            "udpTimeout": "0s",
            "udpStreamTimeout": "0s",
        },
    }


def _containerd(snapshotter: str) -> str:
    return f"""version = 3
root = "{INSIDE}/containerd"
state = "{CONTAINERD_SOCKET.parent}"
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.nri.v1.nri",
  "io.containerd.snapshotter.v1.blockfile",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.erofs",
  "io.containerd.snapshotter.v1.zfs",
]

[grpc]
address = "{CONTAINERD_SOCKET}"

[metrics]
address = "127.0.0.1:{Ports.CONTAINERD_METRICS}"

[plugins.'io.containerd.cri.v1.images']
snapshotter = "{snapshotter}"

[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = "{PAUSE_IMAGE}"

[plugins.'io.containerd.cri.v1.runtime']
# Without CAP_SYS_RESOURCE, as in many containers, a negative score is refused and no container starts.
restrict_oom_score_adj = true

[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ["{_INSIDE.bin}"]
conf_dir = "{_INSIDE.config}/cni"

[plugins.'io.containerd.cri.v1.runtime'.containerd]
default_runtime_name = "runc"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
BinaryName = "{_INSIDE.bin}/runc"
SystemdCgroup = false
"""


def _cni() -> dict[str, object]:
    # Point to point, not a bridge: traffic between pods is routed, so that service addresses are translated back
    # without the kernel's bridge filter, which not every machine has.
    return {
        "cniVersion": "1.0.0",
        "name": "falaj",
        "plugins": [
            {
                "type": "ptp",
                "mtu": 1500,
                "ipam": {
                    "type": "host-local",
                    "dataDir": "/run/cni-addresses",
                    "ranges": [[{"subnet": POD_CIDR}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            }
        ],
    }


def _corefile() -> str:
    return f""".:53 {{
    errors
    health 127.0.0.1:{Ports.DNS_HEALTH}
    ready 127.0.0.1:{Ports.DNS_READY}
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        kubeconfig {_INSIDE.config}/coredns.kubeconfig
        pods insecure
        ttl 5
    }}
    cache 5
}}
"""


def _openbao() -> str:
    here, pki = _INSIDE.openbao, _INSIDE.pki
    audits = "".join(
        f'audit "file" "file-{number}" {{\n  options {{\n    file_path = "{here}/audit-{number}.log"\n'
        f'    mode = "0600"\n  }}\n}}\n'
        for number in (1, 2)
    )
    return f"""ui = false
disable_mlock = true
api_addr = "https://{NODE_IP}:{Ports.OPENBAO}"
cluster_addr = "https://{NODE_IP}:{Ports.OPENBAO_CLUSTER}"

storage "raft" {{
  path = "{here}/raft"
  node_id = "site"
  # A single server waits for nobody's votes: do not let it hesitate.
  performance_multiplier = 1
}}

listener "tcp" {{
  address = "{NODE_IP}:{Ports.OPENBAO}"
  cluster_address = "{NODE_IP}:{Ports.OPENBAO_CLUSTER}"
  tls_cert_file = "{pki}/openbao.crt"
  tls_key_file = "{pki}/openbao.key"
  tls_min_version = "tls12"
}}

seal "static" {{
  current_key_id = "1"
  current_key = "file://{here}/unseal.key"
}}

{audits}"""
