# The two commands are `make demo` and `make test`. Each installs what it needs into .venv first.
PYTHON ?= python3
BIN := .venv/bin
# Copies, not hard links: nltk, which LlamaIndex's splitters use, refuses to read files that are linked elsewhere.
export UV_LINK_MODE := copy
INSTALL := $(BIN)/python -m uv pip install --python $(BIN)/python --constraint constraints.txt

.PHONY: demo test check lint types arrows peers constraints clean

demo: .venv/.demo-installed
	$(BIN)/python -m examples.demo --out demo-output

test: .venv/.test-installed
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: lint types arrows

lint: .venv/.test-installed
	$(BIN)/ruff check .

types: .venv/.test-installed
	$(BIN)/mypy

arrows: .venv/.test-installed
	$(BIN)/lint-imports

.venv/.demo-installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; run: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || \
	  { echo "The venv module is missing; on Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt uv
	$(INSTALL) --editable ".[all]" --group demo
	@touch $@

.venv/.test-installed: .venv/.demo-installed
	$(INSTALL) --editable ".[all]" --group test --group lint
	@touch $@

peers: .venv/.test-installed # installs the pinned peers into environments of their own; about half an hour
	$(BIN)/python -m benchmarks.peers $(PEERS_ARGS)

constraints: # pin the development environment anew
	$(BIN)/python -m uv pip compile pyproject.toml --all-extras --group demo --group test --group lint \
	  --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links --no-header --no-annotate \
	  --output-file constraints.txt

clean:
	rm -rf .venv .venv-peers-* demo-output .pytest_cache .mypy_cache .ruff_cache .hypothesis
