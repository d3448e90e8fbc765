PYTHON ?= python3.11
VENV   ?= .venv
BIN    := $(VENV)/bin
STUBS  := services/sextant/contract/v1

.DEFAULT_GOAL := help
.PHONY: help protos

help: ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

protos: ## Generate the Python stubs from protos/
	$(BIN)/python -m grpc_tools.protoc -Iprotos --python_out=$(STUBS) --pyi_out=$(STUBS) --grpc_python_out=$(STUBS) protos/sextant/v1/*.proto
	@mv $(STUBS)/sextant/v1/*.py $(STUBS)/sextant/v1/*.pyi $(STUBS)/ && rm -r $(STUBS)/sextant
	@sed -i 's/^from sextant\.v1 import/from sextant.contract.v1 import/' $(STUBS)/*.py $(STUBS)/*.pyi
