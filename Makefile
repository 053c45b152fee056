# Two commands matter: `make demo` and `make test`. Both set up everything they need in .venv.
PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= 2

.PHONY: install demo test compose-test systemd-test test-containers lint types check bench chaos lock docs website site clean

install: .venv/.installed

.venv/.installed: requirements/dev.txt requirements/old-server.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Dripstream needs Python 3.11 or newer; try: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes --upgrade --target .venv/old-server -r requirements/old-server.txt
	@touch $@

demo: install  ## three signups and two calls become 25 emails and 6 Notion rows, in half a minute
	$(BIN)/dripstream demo $(ARGS)

test: install website  ## two files at a time, as most of them wait; WORKERS=0 for one after the other
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

compose-test: install  ## needs Docker: the image, the stacks of deploy/, the whole journey, each container taken away
	$(BIN)/python -m pytest -m container tests/containers $(ARGS)

systemd-test: install  ## needs Docker: a clean server with systemd; installed, used, upgraded, taken back, removed
	$(BIN)/python -m pytest -m container tests/systemd $(ARGS)

test-containers: install  ## needs Docker: the integration tests of the broker on the image that compose.yml pins
	$(BIN)/python -m pytest -p tests.containers.broker_image tests/integration $(ARGS)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

check: lint types test

bench: install
	$(BIN)/python -m bench $(ARGS)

chaos: install  ## break everything at random and repeatably, and count what was lost or doubled
	$(BIN)/python -m chaos $(ARGS)

website: examples/website/node_modules/.installed  ## the function for websites: nothing to do where npm is not

examples/website/node_modules/.installed: examples/website/package-lock.json
	@if command -v npm >/dev/null; then \
	  { cd examples/website && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error && npm run build && touch node_modules/.installed; } \
	  || { echo "npm could not get the compiler: the website's function is neither compiled nor tried"; }; \
	else echo "npm is not here: the website's function is neither compiled nor tried"; fi

docs: install  ## write docs/events.md from the contracts
	$(BIN)/dripstream schema --write docs/events.md

lock:  ## needs uv; run after changing dependencies
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --extra dev pyproject.toml -o requirements/dev.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url pyproject.toml -c requirements/dev.txt -o requirements/base.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url requirements/build.in -c requirements/dev.txt -o requirements/build.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --extra otel pyproject.toml -c requirements/dev.txt -o requirements/otel.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url requirements/old-server.in -o requirements/old-server.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url requirements/docs.in -o requirements/docs.txt

site: build/.docs-tools  ## the docs site in build/site; a warning or a broken link is an error
	$(PYTHON) docs/site.py
	build/.docs-tools/bin/zensical build --clean --strict --config-file mkdocs.yml

build/.docs-tools: requirements/docs.txt
	$(PYTHON) -m venv $@
	$@/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/docs.txt
	@touch $@

clean:
	rm -rf .venv .dripstream .mypy_cache .ruff_cache .pytest_cache .hypothesis
