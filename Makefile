# The two commands of the README. Each installs what is missing; everything else is `falaj`.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
RUN := .ci/in-env

.PHONY: help setup quickstart test lint format
help:
	@echo "make quickstart   install what is missing, then a model's whole way on this machine (root, Linux)"
	@echo "make test         linters, type checks and every test"

setup:
	@.ci/setup "$(PYTHON)"

quickstart: setup
	@$(RUN) falaj quickstart

lint: setup
	@$(RUN) ruff format --check .
	@$(RUN) ruff check .
	@$(RUN) mypy
	@$(RUN) lint-imports

format: setup
	@$(RUN) ruff format .
	@$(RUN) ruff check --fix .

test: lint
	@$(RUN) python -m pytest -m "not site"
	@$(RUN) python -m pytest -m "site"
