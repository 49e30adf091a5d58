# What the README says and what CI runs. Every target sets up what it needs; only Python ≥ 3.11, make and git are asked of the machine.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
BIN := .venv/bin
TESTS ?= tests
# Half of a test's time is waiting: three workers keep two cores busy.
WORKERS ?= 3
BENCH ?=

.PHONY: help setup demo dev test check race bench e2e soak settings

help: ## this list
	@grep -hE '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: ## installs Python and web packages from their locks, builds the pages
	@scripts/setup all

demo: setup ## a market with goods, a live show and a hundred viewers; Ctrl-C ends it
	@exec $(BIN)/livestall demo

dev: setup ## the market alone, and the pages rebuilt as you edit them
	@scripts/dev

check: setup ## lint, format, types, layers, pages
	$(BIN)/ruff check src tests bench migrations
	$(BIN)/ruff format --check src tests bench migrations
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	scripts/node npm --prefix web run --silent check

test: check ## everything: check, the pages' unit tests, then all Python tests with the browser
	scripts/node npm --prefix web run --silent test
	$(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(TESTS)

race: setup ## the races again and again
	for i in 1 2 3 4 5; do $(BIN)/pytest -q tests/races; done

e2e: setup ## only the browser
	$(BIN)/pytest -q tests/e2e

bench: setup ## every number, one JSON line each, and bench/RESULTS.md; BENCH="fanout claims" takes some, BENCH_RUNS=1 a quick look
	@scripts/setup bench
	@$(BIN)/python bench/run.py $(BENCH)

soak: setup ## half an hour of kills, hostile clients and a bad line in a selling show; SOAK_SECONDS=180 is a short one
	@PYTHONPATH=tests $(BIN)/python tests/soak

settings: setup ## writes docs/settings.md and docs/metrics.md
	$(BIN)/livestall settings --markdown > docs/settings.md
	$(BIN)/livestall metrics --markdown > docs/metrics.md
