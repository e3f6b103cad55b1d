"""Which tools the site runs, from which pinned module each is built, and how.

A folder under `modules/` holds a `go.mod` and `go.sum` (a tool each needs its own: their requirements clash in
one). The version is read from the `go.mod`, so it is written down once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ALL", "TOOLS", "Tool", "go_needed", "module_folder", "version"]

_MODULES = Path(__file__).parent / "modules"


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One binary.

    `package` is the Go package that is built; empty for a tool that is compiled from the C file in its folder.
    `requires` is the module whose required version is the tool's version. `stamp` are the linker's `-X` values, in
    which `{v}` is the version (`v1.2.3`), `{major}` and `{minor}` its first two numbers.
    """

    name: str
    folder: str
    package: str = ""
    requires: str = ""
    stamp: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    cgo: bool = False


def _kubernetes(name: str) -> Tool:
    at = "k8s.io/component-base/version"
    return Tool(
        name=name,
        folder="kubernetes",
        package=f"k8s.io/kubernetes/cmd/{name}",
        requires="k8s.io/kubernetes",
        stamp=(f"{at}.gitVersion={{v}}", f"{at}.gitMajor={{major}}", f"{at}.gitMinor={{minor}}",
               f"{at}.gitTreeState=archive"),
        tags=("grpcnotrace",),
    )  # fmt: skip


def _containerd(name: str) -> Tool:
    module = "github.com/containerd/containerd/v2"
    return Tool(
        name=name,
        folder="containerd",
        package=f"{module}/cmd/{name}",
        requires=module,
        stamp=(f"{module}/version.Version={{v}}",),
    )


def _cni(name: str, kind: str) -> Tool:
    module = "github.com/containernetworking/plugins"
    return Tool(
        name=name,
        folder="cni",
        package=f"{module}/plugins/{kind}/{name}",
        requires=module,
        stamp=(f"{module}/pkg/utils/buildversion.BuildVersion={{v}}",),
    )


# In the order in which they are built: an API server alone is already of use.
_ALL = (
    Tool(name="etcd", folder="etcd", package="go.etcd.io/etcd/server/v3", requires="go.etcd.io/etcd/server/v3"),
    _kubernetes("kube-apiserver"),
    _kubernetes("kube-controller-manager"),
    _kubernetes("kube-scheduler"),
    _kubernetes("kubelet"),
    _kubernetes("kube-proxy"),
    _containerd("containerd"),
    _containerd("containerd-shim-runc-v2"),
    _containerd("ctr"),
    Tool(
        name="runc",
        folder="runc",
        package="github.com/opencontainers/runc",
        requires="github.com/opencontainers/runc",
        tags=("seccomp",),
        cgo=True,
    ),
    _cni("ptp", "main"),
    _cni("loopback", "main"),
    _cni("host-local", "ipam"),
    Tool(
        name="coredns",
        folder="coredns",
        package="falaj.io/tools/coredns",
        requires="github.com/coredns/coredns",
        stamp=("github.com/coredns/coredns/coremain.GitCommit=archive",),
    ),
    Tool(name="pause", folder="pause"),
)
TOOLS = {tool.name: tool for tool in _ALL}
ALL = tuple(TOOLS)


def module_folder(tool: Tool) -> Path:
    """The folder with the tool's pinned module (or C source)."""
    return _MODULES / tool.folder


def version(tool: Tool) -> str:
    """The tool's version as its `go.mod` requires it, such as `v1.34.4`; `v1` for the C program."""
    if not tool.package:
        return "v1"
    text = (module_folder(tool) / "go.mod").read_text()
    found = re.search(rf"^(?:require\s+|\t){re.escape(tool.requires)} (v\S+)", text, re.MULTILINE)
    if found is None:
        raise ValueError(f"{tool.folder}/go.mod does not require {tool.requires}")
    return found[1]


def go_needed(tool: Tool) -> str:
    """The lowest Go version its module accepts, such as `1.24.0`; empty for the C program."""
    if not tool.package:
        return ""
    found = re.search(r"^go (\S+)", (module_folder(tool) / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise ValueError(f"{tool.folder}/go.mod names no Go version")
    return found[1]
