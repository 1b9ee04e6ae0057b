# Every target works from a fresh clone with Python 3.11 or newer, make and git: `setup` makes .venv first.
SHELL := /bin/sh
.DEFAULT_GOAL := help
VENV := .venv
RUN := $(VENV)/bin
SOURCES := functions infra layers tests
# Branches of matchcast, functions and infra that the tests must reach, in percent.
COVERAGE := 85
# Processes that share the tests; WORKERS=0 runs them in one, as `pytest` alone does.
WORKERS := 2
# A gate starts some hundred interpreters; each would compile every module of this checkout again.
unexport PYTHONDONTWRITEBYTECODE
# No tool of this checkout reports to its maker; the libraries' own switches are in matchcast/__init__.py.
export SAM_CLI_TELEMETRY := 0
# A Ctrl-C before a command can take it would make Python print where it was; the command takes it after 50 ms.
UNTIL_READY := trap '' INT;
# The demo's stack is its own, new each time; the trained sample is that of `make up`.
DEMO_LOCAL := $(CURDIR)/.local/demo
DEMO_SAMPLE := $(CURDIR)/.local/sample
LINTERS := lint-style lint-types lint-imports lint-template

.PHONY: help setup up demo test lint $(LINTERS) faults build deploy clean
.PHONY: prove-tasks prove-batches prove-callbacks prove-releases prove-scale prove-stops prove-permissions prove-offline prove-clients fuzz mutants

help: ## Show the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-16s %s\n", $$1, $$2}'

setup: ## Make .venv from the lock (PYTHON=... picks the interpreter)
	@PYTHON="$(PYTHON)" sh infra/setup.sh $(VENV)

up: setup ## Start the laptop stack with the sample league; Ctrl-C stops it
	@$(UNTIL_READY) exec $(RUN)/matchcast up

demo: setup ## Start the laptop stack, ask it in every way, stop it
	@$(UNTIL_READY) MATCHCAST_LOCAL="$(DEMO_LOCAL)" MATCHCAST_SAMPLE="$(DEMO_SAMPLE)" \
		exec $(RUN)/python -m matchcast_tools.laptop.demo

test: lint ## Run the whole gate: linters, types, template, every test without Docker (EXAMPLES=4 for more examples)
	$(RUN)/pytest -n $(WORKERS) -m "not docker and not npm" --cov --cov-report=term --cov-fail-under=$(COVERAGE)

lint: setup ## Check style, types, imports and the template, all at once
	@$(MAKE) --no-print-directory -j $(LINTERS)

lint-style:
	$(RUN)/ruff check $(SOURCES)
	$(RUN)/ruff format --check $(SOURCES)

lint-types:
	$(RUN)/mypy

lint-imports:
	$(RUN)/lint-imports

lint-template:
	$(RUN)/cfn-lint --append-rules infra/cfn_lint_rules

faults: setup ## Lose nothing in random schedules of faults on the wire (SCHEDULES=10000 SEED= REPLAY=)
	@$(if $(REPLAY),,EXAMPLES=$${EXAMPLES:-4} $(RUN)/pytest -q tests/faults/test_stateful.py)
	@$(RUN)/python -m tests.faults $(SCHEDULES:%=--schedules %) $(SEED:%=--seed %) $(REPLAY:%=--replay %)

fuzz: setup ## Send hostile requests to the handlers: no fault, no long answer or wait (CASES=500000 SEED= REPLAY=)
	@AWS_DEFAULT_REGION=us-east-1 $(RUN)/python -W ignore -m tests.fuzz $(CASES:%=--cases %) $(SEED:%=--seed %) $(REPLAY:%=--replay %)

mutants: setup ## Change tasks, HTTP and adapters a little; some quick test has to fail (MODULE=tasks/run SAMPLE=0.1 SEED=1)
	@$(RUN)/python -m tests.proofs.mutants $(MODULE:%=--module %) $(SAMPLE:%=--sample %) $(SEED:%=--seed %)

prove-tasks: setup ## Load, poison, kill and slow down a laptop stack; every accepted task ends once (TASKS=1000)
	@$(RUN)/python -m tests.proofs.tasks $(TASKS:%=--tasks %)

prove-batches: setup ## Run a file of ROWS rows on a laptop stack, killed, cancelled, retried; each row ends once (ROWS=1000000)
	@$(RUN)/python -m tests.proofs.batches $(ROWS:%=--rows %)

prove-callbacks: setup ## Deliver callbacks to a bad receiver, killed meanwhile; none goes inside (EVENTS=200 WAITING=200000)
	@$(RUN)/python -m tests.proofs.callbacks $(EVENTS:%=--events %) $(WAITING:%=--waiting %)

prove-releases: setup ## Move, corrupt, promote and gate releases on a laptop stack (PROMOTIONS=100)
	@$(RUN)/python -m tests.proofs.releases $(PROMOTIONS:%=--promotions %)

prove-scale: setup ## Count, list and sweep with a long history on the engine (TASKS=100000 LETTERS=10000)
	@$(RUN)/python -m tests.proofs.scale $(TASKS:%=--tasks %) $(LETTERS:%=--letters %)

prove-permissions: setup ## Take each permission of each role away on a laptop stack; each is missed
	@$(RUN)/python -m tests.proofs.permissions

prove-offline: setup ## Run demo and proofs with every call to the network traced; none leaves this machine
	@$(RUN)/python -m tests.proofs.offline

prove-stops: setup ## End `make demo` and `make up` at ten moments by each signal; nothing is left, the next start works
	@$(RUN)/python -m tests.proofs.stops $(MOMENTS:%=--moments %)

prove-clients: setup ## Generate clients in Python and TypeScript from a laptop stack's document; they submit (npm)
	@$(RUN)/python -m tests.proofs.clients

# Images and stack have to agree on the runtime of models.
RUNTIME_PARAMETER = $(MODEL_RUNTIME:%=--parameter-overrides ModelRuntime=%)
build: setup ## Build for AWS (needs the SAM CLI, and Docker for the images; MODEL_RUNTIME=pyfunc)
	sam build --config-file infra/samconfig.toml $(RUNTIME_PARAMETER)
	infra/bytecode.sh

# The longest name of a stack: names of functions begin with it, and have at most 64 characters (a test computes it).
LONGEST_STACK := 45
STACK = $(shell sed -n 's/^stack_name = "\(.*\)"$$/\1/p' infra/samconfig.toml)
deploy: stack-name build ## Deploy to AWS with infra/samconfig.toml (STACK= another name, MODEL_RUNTIME=pyfunc)
	sam deploy --config-file infra/samconfig.toml --stack-name "$(STACK)" $(RUNTIME_PARAMETER)

# CloudFormation would find it when half of the stack is made.
.PHONY: stack-name
stack-name:
	@name="$(STACK)"; if [ $${#name} -gt $(LONGEST_STACK) ]; then \
		echo "The stack's name $$name has $${#name} characters; $(LONGEST_STACK) are the most." >&2; exit 2; fi

clean: ## Remove what can be made again (not your data, models and registry in .local)
	@if [ -x $(RUN)/matchcast ]; then $(RUN)/matchcast down; fi
	rm -rf .aws-sam .local/mutants .local/sample .local/engine.log .coverage coverage.xml htmlcov .hypothesis dist build
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +
