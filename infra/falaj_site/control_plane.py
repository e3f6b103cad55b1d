"""How etcd and the API server are run, for the whole site and for a bare API server alike.

Everything here renders: paths and addresses in, files and argument lists out.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from falaj_site.home import private_folder, write_private
from falaj_site.pki import Authority, KeyPair, signing_key

__all__ = [
    "ISSUER",
    "SERVICE_IP",
    "ControlPlane",
    "apiserver_arguments",
    "etcd_arguments",
    "issue",
    "kubeconfig",
    "write_policies",
]

ISSUER = "https://kubernetes.default.svc.cluster.local"
SERVICE_CIDR = "10.92.0.0/16"
SERVICE_IP = "10.92.0.1"

_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        # The cluster's own housekeeping: many lines a second that say nothing of who did what.
        {"level": "None", "resources": [{"group": "coordination.k8s.io", "resources": ["leases"]}]},
        {"level": "None", "resources": [{"group": "", "resources": ["events"]}]},
        {"level": "None", "nonResourceURLs": ["/healthz*", "/livez*", "/readyz*", "/version", "/openapi*"]},
        {
            "level": "None",
            "users": [
                "system:apiserver",
                "system:kube-controller-manager",
                "system:kube-scheduler",
                "system:kube-proxy",
                "falaj:coredns",
                "falaj:volumes",
            ],
            "verbs": ["get", "list", "watch"],
        },
        {"level": "None", "userGroups": ["system:nodes"], "verbs": ["get", "list", "watch"]},
        # Who did what to which object, never its content: a body may hold a secret.
        {"level": "Metadata"},
    ],
}


@dataclass(frozen=True, kw_only=True)
class ControlPlane:
    """Where one control plane's files lie and what it listens on.

    `folder` holds data, `address` is what the API server listens on and advertises; ports are TCP ports.
    """

    folder: Path
    address: str
    api_port: int
    etcd_port: int
    etcd_peer_port: int

    @property
    def pki(self) -> Path:
        return self.folder / "pki"

    @property
    def audit_log(self) -> Path:
        return self.folder / "logs" / "kube-audit.log"


def issue(plane: ControlPlane, hosts: Sequence[str]) -> Authority:
    """Makes every certificate and key that etcd and the API server need; `hosts` are the API server's further names."""
    authority = Authority(plane.pki)
    authority.issue("etcd", common_name="etcd", hosts=("127.0.0.1", "localhost"))
    authority.issue("etcd-client", common_name="kube-apiserver-etcd-client")
    names = (
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
        "127.0.0.1",
        SERVICE_IP,
    )
    authority.issue("kube-apiserver", common_name="kube-apiserver", hosts=tuple(dict.fromkeys((*names, *hosts))))
    authority.issue("kubelet-client", common_name="falaj:kubelet-client")
    authority.issue("admin", common_name="falaj:admin", groups=("system:masters",))
    signing_key(plane.pki / "service-account.key")
    return authority


def write_policies(plane: ControlPlane) -> None:
    """Writes the audit policy and, once, the key with which secrets are encrypted in etcd."""
    private_folder(plane.audit_log.parent)
    write_private(plane.folder / "audit-policy.yaml", yaml.safe_dump(_AUDIT_POLICY, sort_keys=False))
    encryption = plane.folder / "encryption.yaml"
    if not encryption.exists():
        key = base64.b64encode(secrets.token_bytes(32)).decode()
        write_private(
            encryption,
            yaml.safe_dump(
                {
                    "apiVersion": "apiserver.config.k8s.io/v1",
                    "kind": "EncryptionConfiguration",
                    "resources": [
                        {
                            "resources": ["secrets"],
                            "providers": [{"secretbox": {"keys": [{"name": "key1", "secret": key}]}}],
                        }
                    ],
                },
                sort_keys=False,
            ),
        )


def etcd_arguments(plane: ControlPlane) -> list[str]:
    """etcd on the loopback only, TLS with client certificates."""
    url = f"https://127.0.0.1:{plane.etcd_port}"
    peer = f"https://127.0.0.1:{plane.etcd_peer_port}"
    pki = plane.pki
    return [
        "--name=site",
        f"--data-dir={plane.folder / 'etcd'}",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=site={peer}",
        f"--cert-file={pki / 'etcd.crt'}",
        f"--key-file={pki / 'etcd.key'}",
        f"--trusted-ca-file={pki / 'ca.crt'}",
        "--client-cert-auth",
        f"--peer-cert-file={pki / 'etcd.crt'}",
        f"--peer-key-file={pki / 'etcd.key'}",
        f"--peer-trusted-ca-file={pki / 'ca.crt'}",
        "--peer-client-cert-auth",
        "--auto-compaction-retention=1h",
        "--log-level=warn",
    ]


def apiserver_arguments(plane: ControlPlane) -> list[str]:
    """The API server: RBAC, node authorizer, audit log, encrypted secrets; no anonymous caller."""
    pki = plane.pki
    return [
        f"--bind-address={plane.address}",
        f"--advertise-address={plane.address}",
        f"--secure-port={plane.api_port}",
        "--anonymous-auth=false",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--client-ca-file={pki / 'ca.crt'}",
        f"--tls-cert-file={pki / 'kube-apiserver.crt'}",
        f"--tls-private-key-file={pki / 'kube-apiserver.key'}",
        "--tls-min-version=VersionTLS12",
        f"--etcd-servers=https://127.0.0.1:{plane.etcd_port}",
        f"--etcd-cafile={pki / 'ca.crt'}",
        f"--etcd-certfile={pki / 'etcd-client.crt'}",
        f"--etcd-keyfile={pki / 'etcd-client.key'}",
        f"--encryption-provider-config={plane.folder / 'encryption.yaml'}",
        f"--kubelet-certificate-authority={pki / 'ca.crt'}",
        f"--kubelet-client-certificate={pki / 'kubelet-client.crt'}",
        f"--kubelet-client-key={pki / 'kubelet-client.key'}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={pki / 'service-account.pub'}",
        f"--service-account-signing-key-file={pki / 'service-account.key'}",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        f"--audit-policy-file={plane.folder / 'audit-policy.yaml'}",
        f"--audit-log-path={plane.audit_log}",
        "--audit-log-maxsize=50",
        "--audit-log-maxbackup=4",
        "--profiling=false",
    ]


def kubeconfig(server: str, authority: Path, pair: KeyPair) -> str:
    """A kubeconfig that holds its certificates itself, so that it can be handed on. PEM files in, YAML text out."""

    def content(path: Path) -> str:
        return base64.b64encode(path.read_bytes()).decode()

    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "falaj", "cluster": {"server": server, "certificate-authority-data": content(authority)}}
            ],
            "users": [
                {
                    "name": "falaj",
                    "user": {
                        "client-certificate-data": content(pair.certificate),
                        "client-key-data": content(pair.key),
                    },
                }
            ],
            "contexts": [{"name": "falaj", "context": {"cluster": "falaj", "user": "falaj"}}],
            "current-context": "falaj",
        },
        sort_keys=False,
    )
