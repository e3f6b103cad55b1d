"""The cases of Falaj's own rules, a module for each family, each with `CASES`."""
