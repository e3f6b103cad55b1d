"""The components' configuration."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from falaj_site import bootstrap, control_plane, render
from falaj_site.components import FORWARDS, components
from falaj_site.layout import DNS_IP, INSIDE, NODE_IP, Layout
from falaj_site.tools import catalogue

FILES = render.config_files("0a1b2c3d", "overlayfs")
PARTS = {part.name: part for part in components(Path("/bao"), dict.fromkeys(FORWARDS, 7))}


def test_every_file_can_be_read_by_what_it_is_for() -> None:
    tomllib.loads(FILES["containerd.toml"])
    json.loads(FILES["cni/10-falaj.conflist"])
    assert yaml.safe_load(FILES["kubelet.yaml"])["kind"] == "KubeletConfiguration"
    assert yaml.safe_load(FILES["kube-proxy.yaml"])["kind"] == "KubeProxyConfiguration"


def test_dns_uses_only_what_is_built_into_it() -> None:
    main = (catalogue.module_folder(catalogue.TOOLS["coredns"]) / "main.go").read_text()
    built_in = set(re.findall(r"coredns/plugin/(\w+)", main))
    body = FILES["Corefile"].split("{", 1)[1]
    used = set(re.findall(r"^ {4}(\w+)", body, re.MULTILINE))
    assert used
    assert used <= built_in


def test_the_network_uses_only_built_plugins() -> None:
    (plugin,) = json.loads(FILES["cni/10-falaj.conflist"])["plugins"]
    assert {plugin["type"], plugin["ipam"]["type"], "loopback"} <= set(catalogue.TOOLS)


def test_the_kubelet_trusts_nobody_unnamed_and_collects_no_image() -> None:
    kubelet = yaml.safe_load(FILES["kubelet.yaml"])
    assert kubelet["authentication"]["anonymous"] == {"enabled": False}
    assert kubelet["authorization"] == {"mode": "Webhook"}
    assert kubelet["readOnlyPort"] == 0
    assert kubelet["seccompDefault"] is True
    assert kubelet["imageGCHighThresholdPercent"] == 100
    assert kubelet["cgroupRoot"] == "/falaj-0a1b2c3d"
    assert kubelet["clusterDNS"] == [DNS_IP]


def test_openbao_seals_audits_twice_and_speaks_tls_only() -> None:
    text = FILES["openbao.hcl"]
    assert text.count('audit "file"') == 2
    assert 'seal "static"' in text
    assert "tls_disable" not in text


@pytest.mark.parametrize("flag", ["--anonymous-auth=false", "--authorization-mode=Node,RBAC"])
def test_the_api_server_is_closed(flag: str) -> None:
    assert flag in PARTS["kube-apiserver"].command


def test_components_wait_for_what_is_there() -> None:
    seen: set[str] = set()
    for part in PARTS.values():
        assert set(part.after) <= seen
        seen.add(part.name)
        assert part.probe is not None or part.name == "forwarder"


def test_no_component_listens_beyond_the_sites_network() -> None:
    """What is asked in clear is asked on the loopback; the rest has a certificate."""
    for part in PARTS.values():
        if part.probe is not None and not part.probe.identity:
            assert part.probe.host == "127.0.0.1"


def test_certificates_cover_the_names_by_which_servers_are_called(tmp_path: Path) -> None:
    from cryptography import x509

    render.issue_certificates(Layout(tmp_path))

    def names(name: str) -> set[str]:
        certificate = x509.load_pem_x509_certificate((tmp_path / "pki" / f"{name}.crt").read_bytes())
        held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return {str(item.value) for item in held}

    assert {"openbao.falaj-system.svc", NODE_IP, "127.0.0.1", "localhost"} <= names("openbao")
    assert {"kubernetes.default.svc", control_plane.SERVICE_IP, NODE_IP, "127.0.0.1"} <= names("kube-apiserver")
    before = {path: path.read_bytes() for path in (tmp_path / "pki").iterdir()}
    render.issue_certificates(Layout(tmp_path))
    assert {path: path.read_bytes() for path in (tmp_path / "pki").iterdir()} == before


def test_a_kubeconfig_holds_its_own_certificates(tmp_path: Path) -> None:
    render.issue_certificates(Layout(tmp_path))
    path = tmp_path / "config" / "volumes.kubeconfig"
    assert path.stat().st_mode & 0o777 == 0o600
    config = yaml.safe_load(path.read_text())
    assert config["clusters"][0]["cluster"]["server"] == f"https://{NODE_IP}:6443"
    assert set(config["users"][0]["user"]) == {"client-certificate-data", "client-key-data"}


def test_the_encryption_key_is_made_once(tmp_path: Path) -> None:
    plane = Layout(tmp_path).plane
    control_plane.write_policies(plane)
    first = (tmp_path / "encryption.yaml").read_bytes()
    control_plane.write_policies(plane)
    assert (tmp_path / "encryption.yaml").read_bytes() == first
    providers = yaml.safe_load(first)["resources"][0]["providers"]
    assert list(providers[0]) == ["secretbox"]
    assert len(providers) == 1


def test_the_audit_policy_never_keeps_a_body(tmp_path: Path) -> None:
    control_plane.write_policies(Layout(tmp_path).plane)
    policy = yaml.safe_load((tmp_path / "audit-policy.yaml").read_text())
    assert {rule["level"] for rule in policy["rules"]} == {"None", "Metadata"}
    assert policy["rules"][-1] == {"level": "Metadata"}


def test_the_sites_own_rights_name_no_secret_and_no_wildcard() -> None:
    for path, body in bootstrap.objects():
        assert path.endswith(body["metadata"]["name"])
        for rule in body.get("rules", []):
            assert "*" not in [*rule["verbs"], *rule["resources"], *rule["apiGroups"]]
            assert "secrets" not in rule["resources"]


def test_everything_inside_is_named_as_inside() -> None:
    commands = " ".join(" ".join(part.command) for part in PARTS.values() if part.name.startswith("kube"))
    assert set(re.findall(r"=(/[^\s=]+)", commands)) == {
        path for path in re.findall(r"=(/[^\s=]+)", commands) if path.startswith(str(INSIDE))
    }
