"""Picks the stack's program by the kind that its configuration names, and nothing else."""

from __future__ import annotations

from falaj_stacks import config

settings = config.load()
if isinstance(settings, config.RegionConfig):
    # Each program loads only the Kubernetes API groups that it uses: importing them is half of a start.
    from falaj_stacks import region

    region.program(settings)
else:
    from falaj_stacks import tenant

    tenant.program(settings)
