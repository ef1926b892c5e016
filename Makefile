# make setup   .venv with pinned dependencies, and the system libraries Qt needs (or one line that names them)
# make run     the window, on the bundled model; without a display: the tour's pictures in out/tour
# make test    format, lint, types, import contracts, tests
# make pictures   every picture of README and docs, made by the app

PYTHON := .venv/bin/python

.PHONY: setup run test pictures

setup:
	@bash .ci/setup

run: setup
	@$(PYTHON) main.py $(ARGS)

test: setup
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	QT_QPA_PLATFORM=offscreen .venv/bin/pytest

pictures: setup
	$(PYTHON) -m tests.foreign out/deepseek-v3-random
	QT_QPA_PLATFORM=offscreen $(PYTHON) -m app.pictures docs/pictures --foreign out/deepseek-v3-random
