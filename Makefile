# The two commands of the README, and the rest a developer types.
VENV   ?= .venv
PYTHON ?= python3
# Windows' virtual environments keep their programs in Scripts.
BIN    := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
OUT    ?= out
SAMPLE := captures/web-signin
MINUTES ?= 3
# A file's tests stay together, so that what one prepares serves the next.
CORES  := -n auto --dist loadfile

.PHONY: demo test coverage installed canary disturbed lint check fuzz licences mutants crosscheck test-long lab-test captures bench picture gallery clean tls-matrix scenarios

demo: $(VENV)/.installed
	@mkdir -p $(OUT)
	@$(BIN)/dissect flow $(SAMPLE)/phone.pcapng $(SAMPLE)/browser.pcapng \
		--phone-log $(SAMPLE)/phone.log --format text -o $(OUT)/web-signin.png
	@echo "The chart as a picture: $(OUT)/web-signin.png"

# Lint, types and tests; what can't be installed is named, and only its tests are skipped.
test: $(VENV)/.tested-with lint
	@$(BIN)/python tests/tools.py
	$(BIN)/python -m pytest $(CORES) -m "not long and not lab and not deep"

# The tests of `test`, with the lines and branches that they reach; fails below the floor of
# setup.cfg. Workers in processes of their own are not counted.
coverage: $(VENV)/.tested-with lint
	@$(BIN)/python tests/tools.py
	$(BIN)/python -m pytest $(CORES) -m "not long and not lab and not deep" \
		--cov --cov-report=term:skip-covered --cov-report=html:$(OUT)/coverage

# Builds sdist and wheel; installs and tries the wheel on every Python that can be had here.
installed: $(VENV)/.tested-with
	$(BIN)/python -m tests.installed

lint: $(VENV)/.tested-with
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Before a change lands, besides `test`: lint and types, the table of licences, known
# vulnerabilities of what is installed (where no index tells of any, that is said).
check: $(VENV)/.checked-with lint
	$(BIN)/python -m pytest tests/test_licences.py
	$(BIN)/python -m tests.audit

# Mutants of all recordings through all parsers and the whole run, MINUTES in total, with a fresh
# seed (SEED=n repeats one). What breaks is kept in out/fuzz.
fuzz: $(VENV)/.fuzzed-with
	$(BIN)/python -W ignore -m tests.fuzz --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

# Whether a test notices when the code is changed: in the files that differ from main, or in
# FILES="a b"; SAMPLE=n changes of each, drawn by SEED=n (0: all); MINUTES for each file and stage.
mutants: $(VENV)/.mutants
	$(BIN)/python -m tests.mutants --minutes $(MINUTES) $(if $(SAMPLE),--sample $(SAMPLE)) $(if $(SEED),--seed $(SEED)) $(FILES)

licences: $(VENV)/.tested-with
	$(BIN)/python -m tests.licences

# dissect against tshark over all captures, and over FOLDERS of your own (FOLDERS="a b").
crosscheck: $(VENV)/.tested-with
	$(BIN)/python -m tests.engines.survey reports/crosscheck.md $(FOLDERS)

# What takes minutes.
test-long: $(VENV)/.tested-with
	$(BIN)/python -m pytest -n auto --dist worksteal -m long

# The canary in every layer of encoding, shape, and cut. Some positions in rare layers still leak:
# this names them, and is no part of CI until it names none.
canary: $(VENV)/.tested-with
	$(BIN)/python -m pytest -n auto --dist worksteal -m deep tests/canary

# Every recording cut at every tenth, begun late and ended early, merged with another sign-in at
# every distance, its clock moved; of these test-long takes a third or a half.
disturbed: $(VENV)/.tested-with
	$(BIN)/python -m pytest -n auto --dist worksteal -m deep tests/test_disturbed.py tests/test_two_clocks.py

# Records web-signin afresh (root, network namespaces) and looks at the verdict.
lab-test: $(VENV)/.lab
	sh captures/lab/lab-test.sh $(BIN)/python

# Records all scenarios into captures/ (root).
captures: $(VENV)/.lab
	$(BIN)/python captures/lab --out captures

# TLS of every version, suite and feature that the peers here have, against what they sent.
tls-matrix: $(VENV)/.tested-with
	$(BIN)/python -W ignore -m tests.protocols.tls.matrix reports/tls-matrix.md

# What is told of each recording, against what its actors staged and what tshark finds.
scenarios: $(VENV)/.tested-with
	$(BIN)/python -m tests.scenarios reports/scenarios.md

bench: $(VENV)/.tested-with
	$(BIN)/python benchmarks/run.py

$(VENV)/bin/python $(VENV)/Scripts/python:
	$(PYTHON) -m venv $(VENV) || { echo "python3 -m venv does not work here: on Debian or Ubuntu, apt install python3-venv"; exit 1; }

$(VENV)/.installed: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --upgrade pip setuptools
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.tested-with: setup.cfg pyproject.toml | $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable ".[test,tshark]"
	@$(BIN)/python tests/tools.py --install
	@touch $@

$(VENV)/.checked-with: setup.cfg pyproject.toml | $(VENV)/.tested-with
	$(BIN)/python -m pip install --quiet --editable ".[test,check]"
	@touch $@

$(VENV)/.mutants: setup.cfg pyproject.toml | $(VENV)/.tested-with
	$(BIN)/python -m pip install --quiet --editable ".[test,tshark,mutants]"
	@touch $@

# atheris has no package for every system and Python.
$(VENV)/.fuzzed-with: setup.cfg pyproject.toml | $(VENV)/.tested-with
	@$(BIN)/python -m pip install --quiet --editable ".[test,fuzz]" \
		|| echo "MISSING: atheris can't be installed here; mutants are not guided by coverage"
	@touch $@

$(VENV)/.lab: setup.cfg pyproject.toml | $(VENV)/.tested-with
	$(BIN)/python -m pip install --quiet --editable ".[test,lab]"
	@touch $@

clean:
	rm -rf $(VENV) $(OUT) build dist *.egg-info

# The picture of the README.
picture: $(VENV)/.installed
	@cd $(SAMPLE) && ../../$(BIN)/dissect flow phone.pcapng browser.pcapng \
		--phone-log phone.log --detail overview -o ../../reports/web-signin.png

# Each scenario in each format into out/gallery, and the three that reports/gallery keeps.
gallery: $(VENV)/.installed
	$(BIN)/python reports/gallery.py
