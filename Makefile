# Everything a developer or CI runs, by one name each. `make` alone lists them.

BIN := .venv/bin

.DEFAULT_GOAL := help
# Targets share the engine and the terminal, and `test` is an order: -j would mix them up.
.NOTPARALLEL:
.PHONY: help venv engine demo test test-unit lint format bench lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: ## make .venv with exactly what requirements.lock names
	@scripts/venv

engine: ## make sure that a Docker engine with Compose and buildx answers
	@scripts/engine

demo: venv engine ## start simple-web, scale it to three, prove it; it stays up
	@scripts/demo

test: lint engine ## lint, then every test: unit, engine, end to end
	@$(BIN)/pytest --durations=30

test-unit: venv ## the tests that need no Docker engine
	@$(BIN)/pytest -m "not engine"

lint: venv ## ruff, mypy, the import contracts, deptry, shellcheck
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/shellcheck .ci/run $$(grep -lE '^#!.*\<(ba)?sh\>' scripts/*)

format: venv ## format the code and repair what ruff can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: venv engine ## the benchmarks
	@$(BIN)/python -m bench

lock: ## write requirements.lock anew (scripts/lock tells how to upgrade)
	@scripts/lock

clean: ## remove what was built here: .venv, caches, artefacts; containers stay
	rm -rf .venv build dist htmlcov artifacts .coverage \
	    .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
