"""Provisions local volumes: `python -m falaj_site.volumes KUBECONFIG`.

For each claim of a class with provisioner `falaj.io/local` (once the scheduler has placed it, unless the class binds
at once), makes a directory below `volumes/` and a PersistentVolume of type `local` bound to the claim; removes both
when a volume whose class says `Delete` is released. A pass over all claims every second: the API server answers it
from its cache.
"""

from __future__ import annotations

import http.server
import re
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any

from falaj_site.errors import ComponentFailed, KubeError
from falaj_site.kube import KubeClient
from falaj_site.layout import INSIDE, NODE_NAME, Layout, Ports

__all__ = ["PROVISIONER", "Provisioner", "volume_for"]

PROVISIONER = "falaj.io/local"
_PASS_SECONDS = 1.0
_STALE_SECONDS = 20.0
_BY = "pv.kubernetes.io/provisioned-by"
_WANTED_FROM = "volume.kubernetes.io/storage-provisioner"
_PLACED_ON = "volume.kubernetes.io/selected-node"
_OURS = re.compile(r"pvc-[0-9a-f-]{36}")

Json = dict[str, Any]


def volume_for(claim: Json, storage_class: Json, folder: Path) -> Json:
    """The PersistentVolume for a claim, on the directory `folder` (as the node sees it)."""
    meta, spec = claim["metadata"], claim["spec"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"pvc-{meta['uid']}", "annotations": {_BY: PROVISIONER}},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "volumeMode": "Filesystem",
            "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy", "Delete"),
            "storageClassName": spec["storageClassName"],
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": meta["namespace"],
                "name": meta["name"],
                "uid": meta["uid"],
            },
            "local": {"path": str(folder)},
            "nodeAffinity": {
                "required": {
                    "nodeSelectorTerms": [
                        {
                            "matchExpressions": [
                                {"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE_NAME]}
                            ]
                        }
                    ]
                }
            },
        },
    }


class Provisioner:
    """Makes and removes volumes below `folder`."""

    def __init__(self, client: KubeClient, folder: Path) -> None:
        self._client = client
        self._folder = folder
        self.last_pass = 0.0
        self._said: dict[str, str] = {}

    def run_once(self) -> None:
        """One pass. Raises ComponentFailed if the API server does not answer; one bad claim stops no other."""
        classes = {
            item["metadata"]["name"]: item
            for item in self._list("/apis/storage.k8s.io/v1/storageclasses")
            if item.get("provisioner") == PROVISIONER
        }
        volumes = {item["metadata"]["name"]: item for item in self._list("/api/v1/persistentvolumes")}
        for claim in self._list("/api/v1/persistentvolumeclaims"):
            storage_class = classes.get(claim["spec"].get("storageClassName", ""))
            notes = claim["metadata"].get("annotations", {})
            if (
                storage_class is not None
                and not claim["spec"].get("volumeName")
                and notes.get(_WANTED_FROM) == PROVISIONER
                and (notes.get(_PLACED_ON) == NODE_NAME or storage_class.get("volumeBindingMode") == "Immediate")
                and f"pvc-{claim['metadata']['uid']}" not in volumes
            ):
                self._provision(claim, storage_class)
        for volume in volumes.values():
            if (
                volume["metadata"].get("annotations", {}).get(_BY) == PROVISIONER
                and volume.get("status", {}).get("phase") == "Released"
                and volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete"
            ):
                self._remove(volume)
        self.last_pass = time.monotonic()

    def _list(self, path: str) -> list[Json]:
        items = self._client.request("GET", path, query={"resourceVersion": "0"}).get("items")
        return items if isinstance(items, list) else []

    def _provision(self, claim: Json, storage_class: Json) -> None:
        meta = claim["metadata"]
        named = f"{meta['namespace']}/{meta['name']}"
        if claim["spec"].get("volumeMode", "Filesystem") != "Filesystem":
            self._say(named, f"claim {named}: only volumeMode Filesystem can be provisioned here")
            return
        folder = self._folder / f"pvc-{meta['uid']}"
        folder.mkdir(mode=0o770, exist_ok=True)
        folder.chmod(0o770)  # whatever the umask; the kubelet gives it the pod's fsGroup
        try:
            self._client.request("POST", "/api/v1/persistentvolumes", volume_for(claim, storage_class, folder))
        except KubeError as error:
            if error.reason != "AlreadyExists":
                self._say(named, f"claim {named}: {error}")
                return
        self._say(named, f"claim {named}: volume pvc-{meta['uid']}")

    def _remove(self, volume: Json) -> None:
        name = volume["metadata"]["name"]
        if not _OURS.fullmatch(name):
            self._say(name, f"volume {name}: says that it is ours and is not, left alone")
            return
        folder = self._folder / name
        if folder.exists():
            shutil.rmtree(folder)
        try:
            self._client.request("DELETE", f"/api/v1/persistentvolumes/{name}")
        except KubeError as error:
            if error.status != 404:
                self._say(name, f"volume {name}: {error}")
                return
        self._say(name, f"volume {name}: removed")

    def _say(self, about: str, text: str) -> None:
        if self._said.get(about) != text:
            self._said[about] = text
            print(text, flush=True)


def _serve_health(provisioner: Provisioner) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fresh = time.monotonic() - provisioner.last_pass < _STALE_SECONDS
            self.send_response(200 if fresh and provisioner.last_pass else 503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", Ports.VOLUMES_HEALTH), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main(kubeconfig: Path) -> None:
    """Runs until it is ended."""
    folder = Layout(INSIDE).volumes
    folder.mkdir(mode=0o711, exist_ok=True)
    provisioner = Provisioner(KubeClient.from_kubeconfig(kubeconfig), folder)
    _serve_health(provisioner)
    while True:
        try:
            provisioner.run_once()
        except (ComponentFailed, OSError) as error:
            print(f"pass failed: {error}", flush=True)
        time.sleep(_PASS_SECONDS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
