"""`falaj down`: the tenants, the region and the site, in that order, and what they kept on this machine."""

from __future__ import annotations

import shutil
from pathlib import Path

from falaj_platform.errors import PlatformError, QuickstartError
from falaj_platform.quickstart import provision
from falaj_site.progress import Progress, Silent, step
from falaj_site.site import Site

__all__ = ["inventory", "take_down"]

# In the order in which they can be destroyed.
_STACKS = (*(f"tenant-{name}" for name in reversed(provision.TENANTS)), provision.REGION)
# What is under FALAJ_HOME and whose data it is, in the words of whoever would miss it.
_KEPT = {
    "site": "the cluster, OpenBao with every tenant's keys, and all volumes (models, registry, audit logs)",
    "state": "the stacks' state",
    "stacks": "the stacks' files with their encryption salts",
    "credentials": "logins",
    "image": "the platform image",
    "passphrase": "the passphrase of the stacks' secrets",
}


def inventory(project: Path, home: Path) -> list[str]:
    """What would be removed, a line each; stacks and volumes are named one by one.

    Raises PlatformError, before anything is changed: a stack is not the quickstart's, or not on this site.
    """
    lines = [f"{name}: {what}" for name, what in _KEPT.items() if (home / name).exists()]
    if (home / "state").is_dir():
        stacks = provision.workspace(project, home, Silent())
        for stack in stacks.stacks():
            count = len(stacks.export(stack)["deployment"].get("resources") or ())
            if not count:
                continue
            if stack not in _STACKS:
                raise PlatformError(
                    f"stack {stack} still has {count} resources and is not the quickstart's: "
                    f"`falaj destroy -s {stack}` first, then `falaj down`"
                )
            if elsewhere := stacks.elsewhere(stack):
                raise PlatformError(
                    f"stack {stack} is in the cluster at {elsewhere[0]}, not on this site: "
                    f"`falaj destroy -s {stack} --kubeconfig FILE` first, then `falaj down`"
                )
            lines.append(f"stack {stack}: {count} resources")
    volumes = home / "site" / "volumes"
    if volumes.is_dir():
        lines += [f"site/volumes/{path.name}" for path in sorted(volumes.iterdir())]
    return lines


def take_down(project: Path, home: Path, progress: Progress) -> None:
    """Removes everything in `inventory`.

    Raises QuickstartError: a stack could not be destroyed; the rest is kept then.
    """
    site = Site(home)
    # Without a running site there is nothing that a stack could be destroyed on: its data goes with the site.
    if site.status().running:
        stacks = provision.workspace(project, home, progress)
        with provision.site_environment(site):
            for stack in _STACKS:
                if stack in stacks.stacks():
                    provision.forget_if_gone(stacks, stack)
                if stack in stacks.stacks():
                    with step(progress, f"destroy {stack}"):
                        result = stacks.destroy(stack)
                        if not result.ok:
                            raise QuickstartError(f"stack {stack} could not be destroyed: {result.error}")
    with step(progress, "remove the site"):
        site.down(purge=True)
    for name in _KEPT:
        path = home / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    (home / "site.lock").unlink(missing_ok=True)
    if home.is_dir() and not any(home.iterdir()):
        home.rmdir()
