# `make run` and `make test` are the whole set-up: each makes .venv from requirements-dev.lock by itself.

# The first interpreter that is new enough; override with PYTHON=/path/to/python3.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
READY := .venv/.ready
ARGS ?=

.PHONY: run cluster test soak hostile fuzz lint format bench bench-peers screenshots dist lock clean help

help:
	@echo 'make run     start weir (processor + gateway) with the built-in demo model'
	@echo 'make test    run the test suite'
	@echo 'make soak    ten minutes of prompts to readers behind a proxy of faults; ARGS=--relay'
	@echo 'make hostile five minutes of attacks on weir, and a table of what they did'
	@echo 'make fuzz    schemathesis against GET /doc of a weir'
	@echo 'make lint    ruff and mypy'
	@echo 'make format  apply the formatter'
	@echo 'make cluster a Redis, two gateways (4097, 4098) and two processors on this machine'
	@echo 'make bench   every benchmark of weir alone, as tables'
	@echo 'make bench-peers  weir beside its peers, into tests/benchmarks/RESULTS.md; ARGS=--quick'
	@echo 'make screenshots  the pictures of docs/console.md, by a Chromium'
	@echo 'make dist    build the wheel and the sdist, into dist/'
	@echo 'make lock    resolve both locks anew (needs uv)'
	@echo 'ARGS="..."   is passed on to weir up, to pytest, to the soak, the attacks and the peers'

run: $(READY)
	@exec $(BIN)/weir up $(ARGS)

cluster: $(READY)
	@exec $(BIN)/python -m deploy.cluster $(ARGS)

# Bytecode is kept: seven processes import the tests, and hundreds of processes weir.
test: $(READY)
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto $(ARGS)

# Text is compared, and memory, descriptors and CLOSE_WAIT are watched; --relay for weir in front
# of an upstream; --seconds, --seed, --readers, --users, --calm; --small-stores
# for ones that are full in a minute.
soak: $(READY)
	$(BIN)/python -m tests.faults.soak $(ARGS)

# Attacks by name (tests/hostile/attacks), --seed, --seconds, --small.
hostile: $(READY)
	$(BIN)/python -m tests.hostile $(ARGS)

# schemathesis against GET /doc; --max-examples, --seed, --phases.
fuzz: $(READY)
	$(BIN)/python -m tests.fuzz $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)
	$(BIN)/python -m tests.benchmarks.bus
	$(BIN)/python -m tests.benchmarks.proxy
	$(BIN)/python -m tests.benchmarks.shed
	$(BIN)/python -m tests.benchmarks.acp
	$(BIN)/python -m tests.benchmarks.agents
	$(BIN)/python -m tests.benchmarks.store
	$(BIN)/python -m tests.benchmarks.identity

# Beside opencode, nchan, sse-starlette and a bare loop; --quick, --only, --work (tests/benchmarks/peers).
bench-peers: $(READY)
	$(BIN)/python -m tests.benchmarks.peers $(ARGS)

screenshots: $(READY)
	$(BIN)/python -m tests.screenshots

dist: $(READY)
	$(BIN)/python -m build --no-isolation

# What weir runs with, which goes into the wheel; and the same with the tools of a developer.
COMPILE := uv pip compile --universal --generate-hashes --python-version 3.11 --no-header --upgrade
lock:
	$(COMPILE) pyproject.toml -o deploy/requirements.lock
	$(COMPILE) --extra dev --extra jwt --extra mcp --extra redis -c deploy/requirements.lock pyproject.toml -o requirements-dev.lock

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# The editable install is two paths: a finder would cost every start of a Python 20 ms. The second
# path leads to the package that users import as weir.
$(READY): requirements-dev.lock pyproject.toml
	@test -n '$(PYTHON)' || { echo 'weir needs Python 3.11 or newer: none found on PATH' >&2; exit 1; }
	@'$(PYTHON)' -c 'import ensurepip, venv' 2>/dev/null || { \
		echo 'weir needs the venv module of $(PYTHON); on Debian: apt install python3-venv' >&2; exit 1; }
	'$(PYTHON)' -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e . \
		--config-settings editable_mode=compat
	@echo '$(CURDIR)/deploy/client' > "$$($(BIN)/python -c \
		'import sysconfig; print(sysconfig.get_path("purelib"))')/weir-client.pth"
	@touch $(READY)
