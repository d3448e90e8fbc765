PYTHON ?= python3.11
VENV   ?= .venv
BIN    := $(VENV)/bin
STUBS  := services/sextant/contract/v1

export SEXTANT_STATE_DIR ?= $(abspath $(VENV))/state

.DEFAULT_GOAL := help
.PHONY: help demo test test-all compose-test dashboards audit sbom check format protos bench clean

help: ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The serving environment: all that `make demo` needs. No torch in it.
$(VENV)/.serving: pyproject.toml
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

# The same plus what tests, checks and training need.
$(VENV)/.dev: pyproject.toml $(VENV)/.serving
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

node_modules/.bin/buf: package.json
	npm install --silent --no-fund --no-audit --no-package-lock
	@touch $@

demo: $(VENV)/.serving ## Install, start the platform, let the models answer through gRPC, stop
	$(BIN)/sextant demo

test: $(VENV)/.dev ## Run the tests (minutes)
	$(BIN)/python -m pytest -m "not slow"

test-all: $(VENV)/.dev ## Run all tests, the slow ones too
	$(BIN)/python -m pytest

compose-test: $(VENV)/.dev ## Build the images and try the cluster of containers; skipped without Docker
	$(BIN)/python -m pytest tests/compose -s -rs

dashboards: $(VENV)/.dev ## Write Grafana's dashboards anew
	$(BIN)/python deploy/grafana/generate.py

# What looks at the environment must not be part of it.
build/tools/.done: Makefile
	@test -d build/tools || $(PYTHON) -m venv build/tools
	build/tools/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1 cyclonedx-bom==7.5.0
	@touch $@

audit: $(VENV)/.serving build/tools/.done ## Look for known vulnerabilities in what is installed (asks PyPI)
	$(BIN)/python -m pip freeze --exclude-editable --disable-pip-version-check > build/installed.txt
	build/tools/bin/pip-audit --strict --progress-spinner off --no-deps --disable-pip --requirement build/installed.txt

sbom: $(VENV)/.serving build/tools/.done ## Write what is installed as a CycloneDX SBOM, build/sbom.json
	build/tools/bin/cyclonedx-py environment --output-reproducible --pyproject pyproject.toml \
		--output-file build/sbom.json $(BIN)/python

check: $(VENV)/.dev node_modules/.bin/buf ## Lint, types, layers, protos, stubs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	node_modules/.bin/buf lint protos
	@$(MAKE) --no-print-directory protos STUBS=build/stubs
	@diff -r -x __init__.py -x __pycache__ build/stubs $(STUBS) && echo "stubs match protos/"

format: $(VENV)/.dev ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

protos: $(VENV)/.dev ## Generate the Python stubs from protos/
	@mkdir -p $(STUBS)
	$(BIN)/python -m grpc_tools.protoc -Iprotos --python_out=$(STUBS) --pyi_out=$(STUBS) --grpc_python_out=$(STUBS) protos/sextant/v1/*.proto
	@mv $(STUBS)/sextant/v1/*.py $(STUBS)/sextant/v1/*.pyi $(STUBS)/ && rm -r $(STUBS)/sextant
	@sed -i 's/^from sextant\.v1 import/from sextant.contract.v1 import/' $(STUBS)/*.py $(STUBS)/*.pyi

bench: $(VENV)/.dev ## Measure speed and memory, beside other engines (their own environment; an hour)
	$(BIN)/python -m bench

clean: ## Remove what the targets above made
	rm -rf $(VENV) build node_modules demo-output
