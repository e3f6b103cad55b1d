"""`falaj check`: a project's stacks against the rules, without credentials, an engine or a network."""
