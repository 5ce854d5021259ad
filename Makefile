# The two commands are `make demo` and `make test`. Each installs what it needs into .venv first.
PYTHON ?= python3
BIN := .venv/bin
# Copies, not hard links: nltk, which LlamaIndex's splitters use, refuses to read files that are linked elsewhere.
export UV_LINK_MODE := copy
UV := $(BIN)/python -m uv
INSTALL := $(UV) pip install --python $(BIN)/python --constraint constraints.txt
PINS := --upgrade --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links --no-header --no-annotate
# What can tell one version of a framework from another: the adapters over real frameworks (standard suites, agents, engines,
# tracing) and the real clients' errors. The core imports no framework, so its tests are run once, by `make test`.
FRAMEWORK_TESTS := tests/adapters tests/unit/faults/test_real_clients.py

.PHONY: demo test test-lowest test-highest test-backends figures bench mutants peers check lint types arrows constraints constraints-lowest clean

demo: .venv/.demo-installed
	$(BIN)/python -m examples.demo --out demo-output

test: .venv/.test-installed
	$(BIN)/python -m pytest $(PYTEST_ARGS)

figures: .venv/.test-installed # slow: some ten minutes; parts and sizes: python -m benchmarks.figures --help
	$(BIN)/python -m benchmarks.figures $(FIGURES)

bench: .venv/.test-installed # the tables of docs/performance.md; an hour; a first look: make bench BENCH="--scale 0.02"
	$(BIN)/python -m benchmarks.bench $(BENCH)

mutants: .venv/.test-installed # slow, for a night: changes the core one small thing at a time; MUTANTS="breaker" takes a part
	$(BIN)/python -m benchmarks.mutants $(MUTANTS)

# The lower end of the supported versions. `make test` is the upper end: constraints.txt holds the newest of everything.
test-lowest: .venv-lowest/.installed
	.venv-lowest/bin/python -m pytest $(FRAMEWORK_TESTS) $(PYTEST_ARGS)

# What a plain install gets today, unpinned and made anew each time; not for CI, whose result would change with the index.
test-highest: .venv/.demo-installed
	rm -rf .venv-highest
	$(UV) venv --quiet --python $(BIN)/python .venv-highest
	$(UV) pip install --upgrade --python .venv-highest/bin/python --editable ".[all]" --group test
	.venv-highest/bin/python -m pytest $(FRAMEWORK_TESTS) $(PYTEST_ARGS)

check: lint types arrows

lint: .venv/.test-installed
	$(BIN)/ruff check .
	$(BIN)/python scripts/house.py

types: .venv/.test-installed
	$(BIN)/mypy

arrows: .venv/.test-installed
	$(BIN)/lint-imports

# The products that show traces, run for real; large, so not part of `make test`. Prometheus is its own program (apt-get install prometheus).
test-backends: .venv-backends/.installed
	CAPABILITY_ROUTER_BACKENDS=1 .venv-backends/bin/python -m pytest tests/backends $(PYTEST_ARGS)

.venv-backends/.installed: pyproject.toml .venv/.demo-installed
	rm -rf .venv-backends .venv-phoenix
	$(UV) venv --quiet --python $(BIN)/python .venv-backends
	$(UV) pip install --python .venv-backends/bin/python --editable ".[all]" --group backends
	$(UV) venv --quiet --python $(BIN)/python .venv-phoenix
	$(UV) pip install --python .venv-phoenix/bin/python "arize-phoenix>=20.26"
	@touch $@

.venv/.demo-installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; run: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || \
	  { echo "The venv module is missing; on Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	$(INSTALL) --editable ".[all]" --group demo
	@touch $@

.venv/.test-installed: .venv/.demo-installed
	$(INSTALL) --editable ".[all]" --group test --group bills --group lint
	@touch $@

peers: .venv/.test-installed # installs the pinned peers into environments of their own; most of an hour
	$(BIN)/python -m benchmarks.peers $(PEERS_ARGS)

.venv-lowest/.installed: pyproject.toml constraints-lowest.txt .venv/.demo-installed
	rm -rf .venv-lowest
	$(UV) venv --quiet --python $(BIN)/python .venv-lowest
	$(UV) pip install --python .venv-lowest/bin/python --constraint constraints-lowest.txt --editable ".[all]" \
	  --group test-lowest
	@touch $@

constraints: # pin the development environment anew, at the newest of everything
	$(UV) pip compile pyproject.toml --all-extras --group demo --group test --group bills --group lint $(PINS) \
	  --output-file constraints.txt

constraints-lowest: # the lowest versions that pyproject.toml declares, and what goes with them
	$(UV) pip compile pyproject.toml --all-extras --group test-lowest --resolution lowest-direct $(PINS) \
	  --output-file constraints-lowest.txt

clean:
	rm -rf .venv .venv-lowest .venv-highest .venv-peers-* demo-output .pytest_cache .mypy_cache .ruff_cache .hypothesis
