# Everything from a fresh machine: `make demo` and `make test` set themselves up first (Linux or macOS, Python 3.11 to 3.13).
SHELL := /bin/bash
VENV  ?= .venv
BIN   := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test lint clean help

help:
	@echo "make demo    show the whole way on handwritten digits"
	@echo "make test    run the tests"
	@echo "make lint    ruff and pyright"
	@echo "make clean   remove the environment and all caches; runs stay"

demo: $(READY)
	$(BIN)/leadline demo

# One torch thread a process: two on a busy small machine spin, and are many times slower.
test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(READY)
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/pyright

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment, once; again only when what it is made from has changed.
$(READY): pyproject.toml constraints.txt
	@$(BIN)/python -c '' 2>/dev/null || { $(FIND_PYTHON); echo "making $(VENV) with $$found"; "$$found" -m venv --clear $(VENV); }
	@echo "installing the pinned packages into $(VENV) (some minutes, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[all]' --group dev
	@touch $@

define FIND_PYTHON
found=; for name in python3.11 python3.12 python3.13 python3 python; do \
  $$name -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && { found=$$name; break; }; \
done; \
[ -n "$$found" ] || { echo "leadline needs Python 3.11 to 3.13 with venv (Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }
endef
