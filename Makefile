# make setup   .venv with pinned dependencies, and the system libraries Qt needs (or one line that names them)
# make run     the window, on the bundled model; without a display: the tour's pictures in out/tour
# make test    format, lint, types, import contracts, tests
# make fuzz    every reader of outside files for SECONDS=300 each, two at a time on two cores (40 minutes)
# make tour    after new weights: profile of the experts and the tour, from CORPUS=folder, as the weights then are
# make bench   the speed table: figures to out/bench, Markdown to the screen; a quarter of an hour, nothing else running
# make pictures   every picture of README and docs, made by the app

PYTHON := .venv/bin/python

.PHONY: bench setup run test fuzz pictures tour

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

fuzz: setup
	@$(PYTHON) -c "import atheris" 2>/dev/null || $(PYTHON) -m pip install --quiet --disable-pip-version-check atheris==3.0.0
	$(PYTHON) -m tests.fuzz --seconds $(or $(SECONDS),300) --seed $(or $(SEED),1) $(READERS)

pictures: setup
	$(PYTHON) -m tests.foreign out/deepseek-v3-random
	QT_QPA_PLATFORM=offscreen $(PYTHON) -m app.pictures docs/pictures --foreign out/deepseek-v3-random

bench: setup
	$(PYTHON) main.py bench table --out out/bench

tour: setup
	$(PYTHON) -m model.training held-out-texts $(CORPUS) out/held-out
	$(PYTHON) main.py profile resources/loupe-mini --texts out/held-out --title "held-out texts" \
		--out resources/loupe-mini/experts.json
	$(PYTHON) -m model.training tour resources/loupe-mini --texts out/held-out --out resources/tour.json
