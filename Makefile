# Every target sets itself up: `make demo` from a clean clone needs Python >= 3.11 and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test slow test-readers test-loggers lint docs clean

demo: $(STAMP)  ## Deep-STDP against k-means on scikit-learn's digits, in about two minutes
	$(BIN)/deepstdp compare --config configs/digits.yaml --methods stdp,kmeans,untrained \
		--seeds 1 --out runs/demo

test: $(STAMP)  ## all fast tests, a process on each core, which more threads would only slow down
	OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=2 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist loadfile

slow: $(STAMP)  ## the tests that take minutes
	$(BIN)/python -m pytest -m slow

test-readers: $(VENV)-norse $(VENV)-sinabs  ## exported files by readers that ask for too much
	$(VENV)-norse/bin/python -m pytest tests/deployment/exchange -k norse
	$(VENV)-sinabs/bin/python -m pytest tests/deployment/exchange -k sinabs

test-loggers: $(VENV)-loggers  ## curves in MLflow and Weights & Biases
	$(VENV)-loggers/bin/python -m pytest tests/test_loggers.py

# Environments that see the packages of the first behind their own.
PURELIB := import sysconfig; print(sysconfig.get_path("purelib"))
define BESIDE_THE_FIRST
	$(PYTHON) -m venv $@
	echo "import site; site.addsitedir('$$($(BIN)/python -c '$(PURELIB)')')" \
		> "$$($@/bin/python -c '$(PURELIB)')/first.pth"
endef

$(VENV)-loggers: $(STAMP)
	$(BESIDE_THE_FIRST)
	$@/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt mlflow-skinny wandb 'pytorch-lightning>=2.6.6'
	touch $@

$(VENV)-%: $(STAMP)
	$(BESIDE_THE_FIRST)
	$@/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--constraint constraints.txt $* pbr
	touch $@

lint: $(STAMP)  ## ruff and mypy
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(STAMP)  ## the docs site, in site/index.html
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[docs]'
	$(BIN)/python docs/reference/write_commands.py
	$(BIN)/python docs/notebooks/write_pages.py
	$(BIN)/zensical build --clean --strict

clean:  ## remove the environment and the caches, keep the runs
	rm -rf $(VENV) $(VENV)-norse $(VENV)-sinabs $(VENV)-loggers .pytest_cache .mypy_cache .ruff_cache .hypothesis site

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(v < (3, 11) and \
		"Python >= 3.11 is needed, this is %d.%d: make PYTHON=python3.12 ..." % v)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --editable '.[dev]'
	# It asks for torchvision and torchaudio, which reading a file does not need.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--constraint constraints.txt spikingjelly
	touch $@
