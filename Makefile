PYTHON ?= python3
export PORT ?= 8000
PYTEST_WORKERS ?= 2
BIN := .venv/bin

# Without production's secret key, commands work on the local demonstration's database.
LOCAL := $(if $(HELIOX_SECRET_KEY)$(HELIOX_DEBUG),,HELIOX_DEMO=1)
# Checks and tests bring their own settings, but for where this machine has its programs. They start many
# processes, of which each would compile all of the project where nothing compiled may be kept.
OURS := $(filter-out HELIOX_CHROMIUM HELIOX_PG_BIN,$(filter HELIOX_%,$(.VARIABLES)))
CLEAN := env -u DATABASE_URL -u DATABASE_REPLICA_URL -u PYTHONDONTWRITEBYTECODE $(OURS:%=-u %)
# Neighbours stay together, so that what a module builds is built once; who has no tests left takes half of the rest.
PYTEST := $(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help run test bench drill audit lint types format migration migrate migrate-down lock parquet metrics errors \
	installed installed-dev

help: ## Show what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: installed ## Serve a local demonstration on 127.0.0.1:$PORT, with demo data in an empty database
	@exec $(BIN)/python bin/run

test: installed-dev ## Check everything: style, types, and the tests on SQLite and on PostgreSQL
	@$(BIN)/python bin/browser
	@$(MAKE) --no-print-directory lint types
	@$(CLEAN) HELIOX_DEBUG=1 $(BIN)/python manage.py makemigrations --check --dry-run
	@$(CLEAN) $(PYTEST)
	@$(CLEAN) $(BIN)/python bin/with_postgres $(PYTEST)

bench: installed-dev ## Measure it beside the database's limits and others: docs/performance.md; FULL=1 ROWS=2,5 KEEP=folder
	@$(CLEAN) $(BIN)/python -m benchmarks

drill: installed-dev ## Try faults that take long to try, on both databases; ONLY=backup runs one
	@status=0; $(CLEAN) $(BIN)/python -m drills || status=$$?; \
	$(CLEAN) $(BIN)/python bin/with_postgres $(BIN)/python -m drills || status=$$?; exit $$status

audit: installed-dev ## Ask the package index whether a weakness is known of what is installed; needs the network
	@for name in requirements requirements-dev requirements-parquet requirements-metrics requirements-errors; do \
		$(BIN)/pip-audit --strict --require-hashes --disable-pip --requirement $$name.txt || exit 1; \
	done

lint: installed-dev ## Check style
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@find templates -name '*.html' -exec $(BIN)/djade --target-version 5.2 --check {} +

types: installed-dev ## Check types
	@$(CLEAN) HELIOX_DEBUG=1 $(BIN)/mypy

format: installed-dev ## Put the code and the templates in order
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@find templates -name '*.html' -exec $(BIN)/djade --target-version 5.2 {} +

migration: installed ## Write a migration for changed models: make migration MSG="what changed"
	@name=$$(printf %s "$(MSG)" | tr '[:upper:]' '[:lower:]' | tr -cs 'a-z0-9' '_' | sed 's/^_*//; s/_*$$//'); \
	if [ -z "$$name" ]; then echo 'Say what changed: make migration MSG="add a budget per team"' >&2; exit 2; fi; \
	$(LOCAL) $(BIN)/python manage.py makemigrations dashboard --name "$$name"

migrate: installed ## Bring the database up to date; tables that another tool made are adopted
	@$(LOCAL) $(BIN)/python manage.py migrate --fake-initial

migrate-down: installed ## Take back the newest migration
	@$(LOCAL) $(BIN)/python bin/migrate_down

lock: installed-dev ## Write the lock files anew; make lock UPGRADE=--upgrade takes newer versions
	@for name in requirements requirements-dev requirements-parquet requirements-metrics requirements-errors; do \
		UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
			--generate-hashes --no-strip-extras --no-annotate --no-emit-index-url $(UPGRADE) -o $$name.txt $$name.in || exit 1; \
	done

parquet: installed ## Install the extra that reads FOCUS exports in Parquet
	@$(PYTHON) bin/install requirements-parquet.txt

metrics: installed ## Install the extra that tells Prometheus how the service is
	@$(PYTHON) bin/install requirements-metrics.txt

errors: installed ## Install the extra that tells a server of Sentry's kind what went wrong
	@$(PYTHON) bin/install requirements-errors.txt

installed:
	@$(PYTHON) bin/install requirements.txt

installed-dev:
	@$(PYTHON) bin/install requirements-dev.txt requirements-parquet.txt requirements-metrics.txt requirements-errors.txt
