# Each target says what it does after `##`; plain `make` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup demo test chaos incidents lint bench bench-peers pin clean

SETUP := infra/setup/setup.sh
PYTHON := .venv/bin/python
ALL_TESTS := -n 2 --no-loadscope-reorder
UV := uv
PEERS := bytewax pathway quixstreams

help: ## this list
	@echo "Tidewatch: event analytics on real Kafka, Flink and ClickHouse. Begin with \`make demo\`."
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Python environment and jars (all other targets do it by themselves)
	@$(SETUP) runtime

demo: ## the whole platform under seeded traffic, every answer checked; Ctrl-C or SECONDS=60 ends it
	@$(SETUP) runtime
	@./tidewatch demo $(if $(SECONDS),--seconds $(SECONDS))

test: ## all tests, on real parts (ARGS="tests/unit -k times" for some)
	@$(SETUP) dev
	@$(PYTHON) -m pytest $(or $(ARGS),$(ALL_TESTS))

chaos: ## parts are killed and stopped under traffic, then everything is compared (SEED=7; ARGS="--kills 8 --stops 0")
	@$(SETUP) dev
	@$(PYTHON) -m tests.chaos $(if $(SEED),--seed $(SEED)) $(ARGS)

incidents: ## 50 incidents from a point to a webhook while parts of the way are killed (SEED=7; ARGS="--faults 0": latency alone)
	@$(SETUP) dev
	@$(PYTHON) -m tests.chaos.incidents $(if $(SEED),--seed $(SEED)) $(ARGS)

lint: ## ruff, mypy (strict) and the import rules
	@$(SETUP) dev
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
	@.venv/bin/lint-imports

bench: ## benchmarks (ONLY=course for one); results are appended to var/bench/results.jsonl
	@$(SETUP) dev
	@ONLY=$(ONLY) $(PYTHON) -m benchmarks

bench-peers: ## the same work with other Python stream processors (ONLY=quixstreams for one)
	@$(SETUP) dev
	@ONLY=$(ONLY) EVENTS=$(EVENTS) $(PYTHON) -m benchmarks.peers

pin: ## renew every list of pinned packages from its .in, and the jars' checksums from var/tools (needs uv)
	$(UV) pip compile --universal --python-version 3.10 --generate-hashes --no-header requirements.in -o requirements.txt
	$(UV) pip compile --universal --python-version 3.10 --generate-hashes --no-header requirements-dev.in -c requirements.txt -o requirements-dev.txt
	$(UV) pip compile --universal --python-version 3.10 --generate-hashes --no-header --no-annotate -c requirements.txt infra/deploy/requirements-jobs.in -o infra/deploy/requirements-jobs.txt
	for peer in $(PEERS); do $(UV) pip compile --universal --python-version 3.10 --generate-hashes --no-header benchmarks/peers/$$peer.in -o benchmarks/peers/$$peer.txt; done
	cd var/tools && find kafka flink -name '*.jar' -type f | LC_ALL=C sort | xargs sha256sum >../../infra/setup/jars.sha256

clean: ## stop what runs and remove all that was made: state, jars, environment, caches
	@if [ -x .venv/bin/python ]; then ./tidewatch down || true; fi
	rm -rf .venv var .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
