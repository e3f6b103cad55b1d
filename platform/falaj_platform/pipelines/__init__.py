"""What the ready pipelines in `pipelines/` need besides Falaj's other commands."""
