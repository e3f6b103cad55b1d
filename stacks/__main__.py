"""Picks the stack's program by the kind that its configuration names, and nothing else."""

from __future__ import annotations

from falaj_stacks import config, region, tenant

settings = config.load()
if isinstance(settings, config.RegionConfig):
    region.program(settings)
else:
    tenant.program(settings)
