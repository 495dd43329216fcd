# Everything a newcomer types. Needs Python 3.11 to 3.13 and make; the rest goes into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --quiet --disable-pip-version-check
KAFKA := build/kafka/libs
KAFKA_IF_ANY := $(if $(shell command -v java && command -v mvn),$(KAFKA))
CHARTS := src/hedgerow/app/console/static/vendor/uplot.js
UV := uv==0.13.9
PIP_AUDIT := pip-audit==2.10.1

.DEFAULT_GOAL := help
.PHONY: help demo charts test test-browser test-docs coverage test-kafka test-docker test-kubernetes faults fuzz check lint audit bench bench-guard \
  bench-accuracy bench-cost bench-nab format clean lock kafka-jars venv

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/.demo  ## Learn and forecast a bundled city on an embedded broker (KEEP=1 leaves it running)
	@$(BIN)/hedgerow demo $(if $(filter-out 0,$(KEEP)),--keep)

test: $(VENV)/.kernels  ## Run every test that needs nothing installed, embedded broker included
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not kafka and not redis and not docker and not browser and not pages and not kubernetes" $(ARGS)

test-docs: $(VENV)/.kernels  ## Run every command that README.md and docs/ show, and compare what it prints
	$(BIN)/pytest -n 2 -m pages $(ARGS)

test-browser: $(VENV)/.kernels  ## Run the console's tests in a headless Chromium (PICTURES=1 takes the pictures of the docs anew)
	$(BIN)/pytest tests/console -m browser $(if $(filter-out 0,$(PICTURES)),--pictures=docs/pictures) $(ARGS)

coverage:  ## Run the same, counting which lines they reach; a quarter slower
	$(MAKE) test ARGS="--cov --cov-report=term:skip-covered $(ARGS)"

test-kafka: $(VENV)/.dev  ## Run the tests on a real Apache Kafka and redis-server (needs Java, Maven, redis-server)
	$(BIN)/pytest -m "(kafka or redis) and not docker and not slow" $(ARGS)

test-docker: $(VENV)/.dev  ## Start the compose stack and test it (needs a Docker engine)
	$(BIN)/pytest -m docker $(ARGS)

test-kubernetes: $(VENV)/.kubernetes build/crds  ## Render deploy/kubernetes and hold it against the schemas (needs Go)
	$(BIN)/pytest tests/deploy -m kubernetes $(ARGS)

build/crds: scripts/fetch_crds.py | $(VENV)/.dev
	$(BIN)/python scripts/fetch_crds.py
	@touch $@

check: lint test  ## Run the linters, then the tests: what a change must pass

lint: $(VENV)/.dev  ## Run ruff, mypy, import-linter and the check of the generated docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/write_topics_doc.py --check
	$(BIN)/python scripts/write_configuration_doc.py --check
	$(BIN)/python scripts/write_readme_numbers.py --check
	$(BIN)/python scripts/write_metrics_doc.py --check
	$(BIN)/python scripts/write_prometheus_rule.py --check

audit: build/audit/bin/pip-audit  ## Ask the advisory database about everything the image installs
	build/audit/bin/pip-audit --require-hashes --disable-pip --requirement requirements/run.txt $(ARGS)

build/audit/bin/pip-audit: Makefile | $(BIN)/python
	$(BIN)/python -m venv --clear build/audit
	build/audit/bin/pip --quiet --disable-pip-version-check install $(PIP_AUDIT)
	touch $@

faults: $(VENV)/.kernels  ## Run the fault matrix on real servers and write docs/fault-matrix.md (half an hour; ARGS="-k leaders" runs some again)
	$(if $(ARGS),,rm -f build/faults/results.json)
	$(BIN)/pytest -q -m "faults and (kafka or redis)" --fault-matrix=docs/fault-matrix.md $(ARGS)

fuzz: $(VENV)/.dev $(VENV)/.fuzz  ## Fuzz the codecs and the snapshot reader, a million executions each (RUNS=...)
	$(BIN)/python tests/fuzz/run.py $(if $(RUNS),--runs $(RUNS))

bench: $(VENV)/.kernels $(KAFKA_IF_ANY)  ## Measure speed beside other engines, write docs/performance.md (25 minutes; ARGS="--only latency")
	PYTHONPATH=tests $(BIN)/python -m benchmarks $(ARGS)

bench-guard: $(VENV)/.kernels $(KAFKA_IF_ANY)  ## Fail if a reading costs a quarter more CPU than recorded, in floors of the same run
	PYTHONPATH=tests $(BIN)/python -m benchmarks.speed.guard $(ARGS)

bench-cost: $(VENV)/.dev  ## Measure what a series of each preset costs, in bytes and in microseconds
	$(BIN)/python -m benchmarks.cost

bench-nab: $(VENV)/.dev  ## Score anomaly detectors on the Numenta Anomaly Benchmark, write docs/anomaly.md
	$(BIN)/python -m benchmarks.nab --write $(ARGS)

bench-accuracy: $(if $(findstring --quick,$(ARGS)),$(VENV)/.dev,$(VENV)/.dev $(VENV)/.bench)  ## Score the forecasts on public data, beside other methods, 40 minutes (ARGS=--quick: without them)
	$(BIN)/python -m benchmarks.accuracy $(ARGS)

# Compiled once, where else every process of the tests would. numba goes by the time stamp of the
# outermost function's file alone.
$(VENV)/.kernels: $(shell find src/hedgerow/models -name '*.py') src/hedgerow/topics/columns.py | $(VENV)/.dev
	@echo "compiling the learning kernels ..."
	@touch src/hedgerow/models/bank/kernel.py src/hedgerow/models/explanation/ledger.py
	@$(BIN)/python -c "from hedgerow.app.service.warmup import warm_up; warm_up(explain=True)"
	@touch $@

format: $(VENV)/.dev  ## Format the code and mend what ruff can mend
	$(BIN)/ruff check --fix --exit-zero .
	$(BIN)/ruff format .

clean:  ## Remove .venv, caches and everything built
	rm -rf $(VENV) $(dir $(CHARTS)) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage
	find src tests scripts benchmarks -name __pycache__ -prune -exec rm -rf {} +

kafka-jars: $(KAFKA)  ## Fetch a real Apache Kafka's jars with Maven, for test-kafka

$(KAFKA): tests/stack/kafka/pom.xml
	@for tool in java mvn; do command -v $$tool >/dev/null || { \
	  echo "a real Kafka needs $$tool, which is not installed: apt-get install default-jdk-headless maven" >&2; exit 1; }; done
	rm -rf $@ $@.partial
	mvn --quiet --batch-mode --strict-checksums --file $< \
	  dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/$@.partial
	mv $@.partial $@
	touch $@

lock: build/uv/bin/uv  ## Renew requirements/*.txt from pyproject.toml (UPGRADE=1 takes the newest versions)
	$(LOCK) requirements/build.in --extra embedded --extra parquet --group dev --output-file requirements/dev.txt $(if $(UPGRADE),--upgrade)
	$(LOCK) requirements/build.in --extra bench --constraints requirements/dev.txt --output-file requirements/bench.txt $(if $(UPGRADE),--upgrade)
	$(LOCK) requirements/build.in --extra embedded --constraints requirements/dev.txt --output-file requirements/demo.txt
	$(LOCK) --constraints requirements/dev.txt --output-file requirements/run.txt
	$(subst pyproject.toml,,$(LOCK)) --group fuzz --output-file requirements/fuzz.txt
	$(subst pyproject.toml,,$(LOCK)) --group kubernetes --constraints requirements/dev.txt --output-file requirements/kubernetes.txt $(if $(UPGRADE),--upgrade)
	$(subst pyproject.toml,,$(LOCK)) requirements/build.in --constraints requirements/dev.txt --output-file requirements/build.txt
	$(subst pyproject.toml,requirements/peers.in,$(LOCK)) --output-file requirements/peers.txt $(if $(UPGRADE),--upgrade)
	$(subst pyproject.toml,,$(LOCK)) requirements/charts.in --output-file requirements/charts.txt
	@echo "now review what changed, and write it down: make venv && $(BIN)/python scripts/write_dependency_audit.py"

LOCK := build/uv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-strip-extras --no-header --no-annotate --no-emit-index-url --no-emit-find-links pyproject.toml

build/uv/bin/uv: Makefile | $(BIN)/python
	$(BIN)/python -m venv --clear build/uv
	build/uv/bin/pip --quiet --disable-pip-version-check install $(UV)
	touch $@

charts: $(CHARTS)  ## Bring the console's chart library from its wheel, checked by hash

$(CHARTS): scripts/vendor_charts.py requirements/charts.txt | $(BIN)/python
	@$(BIN)/python scripts/vendor_charts.py
	@touch $@

venv: $(VENV)/.dev  ## Make .venv with everything for development

$(VENV)/.kubernetes: $(VENV)/.dev

# Installed from the lock with hashes checked, then the project itself, editable.
$(VENV)/.%: requirements/%.txt pyproject.toml | $(BIN)/python $(CHARTS)
	@echo "installing $< into $(VENV) ..."
	@$(PIP) install --require-hashes --requirement $<
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(BIN)/python:
	@for python in $(PYTHON) python3.13 python3.12 python3.11; do \
	  if $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then \
	    echo "making $(VENV) with $$($$python --version)"; \
	    $$python -m venv --clear $(VENV) && exit 0; rm -rf $(VENV); exit 1; \
	  fi; \
	done; \
	echo "hedgerow needs Python 3.11, 3.12 or 3.13, and '$(PYTHON)' is $$($(PYTHON) --version 2>&1)." >&2; \
	echo "Install one, or name it: make PYTHON=/path/to/python3.12 ..." >&2; exit 1
