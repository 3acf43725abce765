# `make demo` and `make test` install everything they need into $(VENV) and nothing anywhere else.

PYTHON ?= python3
VENV ?= .venv
STAMP := $(VENV)/.installed
RUN := $(VENV)/bin/python

.PHONY: demo test test-long coverage lint clean venv

demo: venv
	$(RUN) -m dorefa.cli.demo --output demo

# What ran is compared with the verification plan.
test: venv
	$(RUN) -m pytest --numprocesses auto --dist worksteal --junitxml $(VENV)/tests.xml
	$(RUN) docs/verification_plan.py ran $(VENV)/tests.xml

# A sample of the campaigns and of the cases that make test leaves out, the commands of the README.
test-long: venv
	$(RUN) -m pytest --numprocesses auto --dist worksteal -m sample --junitxml $(VENV)/sample.xml

# Branches of Python that make test runs, in percent, and the files with the most that it does not.
coverage: venv
	rm -rf $(VENV)/coverage
	$(RUN) -m coverage run -m pytest --numprocesses auto --dist worksteal
	$(RUN) -m coverage combine --quiet
	$(RUN) bench/coverage_by_room.py

lint: venv
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
# Type checkers know packages by their folders: one is made of the rooms.
	mkdir -p $(VENV)/types/dorefa
	ln -sfn $(addprefix $(CURDIR)/,golden hw sim synth cli) $(addprefix $(CURDIR)/dorefa/,__init__.py __main__.py py.typed) $(VENV)/types/dorefa
	cd $(VENV)/types && MYPYPATH=. $(abspath $(RUN)) -m mypy --config-file $(CURDIR)/pyproject.toml --cache-dir ../mypy -p dorefa

venv: $(STAMP)

# Installed again only when the lock file or the project file changes.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("python is %d.%d; needed: 3.11 or newer (make PYTHON=python3.11 ...)" % sys.version_info[:2])'
	$(PYTHON) -m venv --clear $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $(STAMP)

clean:
	rm -rf $(VENV) build dist demo .pytest_cache .ruff_cache dorefa.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
