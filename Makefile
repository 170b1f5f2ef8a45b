# What people type and what the continuous integration runs. `make` alone lists the targets.
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell scripts/find-python 3.12 3.11 3.10)
JETPACK_PYTHONS := 3.10 3.12
WHEEL_LIMIT_MB := 20
RUNS ?= runs

# Real radiographs for the tests; those that need them skip where there are none.
EDGE_SR_DATA ?= $(abspath $(wildcard ../shared/data))
ifneq ($(EDGE_SR_DATA),)
export EDGE_SR_DATA
endif

# One thread is a habit for training beside other work; benchmarks measure with the threads that users have.
unexport OMP_NUM_THREADS

.PHONY: help demo test test-pythons test-arm64 lint install-service uninstall-service test-service soak \
	bench bench-scaling bench-published bench-precision bench-options bench-host bench-streams \
	bench-families bench-natural train-default train-fast wheel clean
.DELETE_ON_ERROR:

help:  ## list the targets
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

demo: $(VENV)/.with-cpu  ## super-resolve a synthetic chest radiograph; look at out/before-after.png
	@mkdir -p out
	@$(BIN)/edge-sr sample out/sample.png --overwrite
	@$(BIN)/edge-sr run out/sample.png -o out --compare-as out/before-after.png --overwrite
	@echo
	@echo "before and after: $(abspath out/before-after.png)"

# One process a core, one thread each: two threads beside a busy core are many times slower.
ON_EVERY_CORE := -n auto --maxprocesses=4 --dist loadfile
test: lint  ## check style and types, then run the whole suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(ON_EVERY_CORE)

test-arm64: $(VENV)/.with-all wheel  ## the wheel on an emulated arm64 processor, its pictures against ours; needs root
	@scripts/arm64/check $(BIN)/python dist/edge_sr-*.whl

test-service: $(VENV)/.with-all  ## boot a systemd in namespaces and run the installed service in it; as root
	EDGE_SR_TEST_BOOT=1 $(BIN)/python -m pytest tests/systemd/test_booted.py

lint: $(VENV)/.with-all  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test-pythons: $(JETPACK_PYTHONS:%=test-python-%)  ## what a device runs, from the wheel, on JetPack's Pythons

# The wheel goes in without -e: a file that is missing in it shows here. bin/pytest, unlike python -m pytest, does not
# put the checkout before it.
test-python-%: .venv-%/.with-device wheel
	.venv-$*/bin/python -m pip install --quiet --no-deps --force-reinstall dist/edge_sr-*.whl
	OMP_NUM_THREADS=1 .venv-$*/bin/pytest $(ON_EVERY_CORE) --ignore=tests/host_training

soak: $(VENV)/.with-all  ## the figures of docs/reliability.md at full counts, about an hour; as root for all of them
	$(BIN)/python -m tests.reliability.soak

install-service: wheel  ## install or upgrade the service of systemd; as root
	@scripts/install-service install

uninstall-service:  ## remove it; pictures, engines and settings stay
	@scripts/install-service uninstall

bench: $(VENV)/.with-all  ## ours against everything else, in one run
	$(BIN)/python benchmarks/bench.py

bench-published: $(VENV)/.with-all  ## one picture against the published chain of 300 steps alone, told and not written
	$(BIN)/python benchmarks/bench.py --peer published-ddpm300

bench-scaling: $(VENV)/.with-all  ## how the cost grows with pixels, tiles, batch and steps
	$(BIN)/python benchmarks/scaling.py

bench-precision: $(VENV)/.with-all  ## build in every precision; speed and quality side by side, on EDGE_SR_DATA
	@test -n "$(EDGE_SR_DATA)" || { echo "error: EDGE_SR_DATA names no folder of radiographs" >&2; exit 1; }
	$(BIN)/edge-sr-host prepare $(EDGE_SR_DATA)/nih -o $(RUNS)/pairs --layout folders --overwrite
	$(BIN)/edge-sr-host prepare $(EDGE_SR_DATA)/hannover -o $(RUNS)/films --layout folders --overwrite \
		--patient-pattern '^([0-9a-f]+)_' --split 0/0/100
	$(BIN)/python benchmarks/precision.py --set validation=$(RUNS)/pairs/validation/HR_256 \
		--set test=$(RUNS)/pairs/test/HR_256 --set hannover=$(RUNS)/films/test/HR_256

bench-options: $(VENV)/.with-all  ## threads, spinning and IOBinding of ONNX Runtime, side by side
	$(BIN)/python benchmarks/onnxrt_options.py

bench-host: $(VENV)/.with-all  ## what edge-sr itself takes around a network that computes nothing
	$(BIN)/python benchmarks/host_time.py

bench-streams: $(VENV)/.with-all  ## overlap and CUDA graphs on a real GPU; exits 3 where there is none
	$(BIN)/python -m benchmarks.cuda_streams

# The models that ship as they are, the other families trained for minutes first.
bench-families: $(VENV)/.with-all  ## every family in one table: quality, size, cost and time, on EDGE_SR_DATA
	@test -n "$(EDGE_SR_DATA)" || { echo "error: EDGE_SR_DATA names no folder of radiographs" >&2; exit 1; }
	$(BIN)/edge-sr-host prepare $(EDGE_SR_DATA)/nih -o $(RUNS)/brief/store --overwrite
	$(BIN)/edge-sr-host train espcn-grey --until 3000 --runs $(RUNS)/brief
	for net in compact rrdb; do \
		$(BIN)/edge-sr-host train $$net --config benchmarks/brief/$$net.toml --runs $(RUNS)/brief || exit; done
	$(BIN)/edge-sr-host train kl-autoencoder --data $(RUNS)/brief/store --runs $(RUNS)/brief \
		--config benchmarks/brief/kl-autoencoder.toml
	$(BIN)/edge-sr-host train paper --data $(RUNS)/brief/store --config benchmarks/brief/paper.toml --runs $(RUNS)/brief
	for mode in espcn-grey compact rrdb paper; do \
		$(BIN)/edge-sr-host export --mode $$mode --runs $(RUNS)/brief -o $(RUNS)/brief/bundles/$$mode --overwrite || exit; done
	$(BIN)/python benchmarks/families.py $(foreach mode,espcn-grey compact rrdb paper,$(RUNS)/brief/bundles/$(mode))

PHOTOGRAPHS := astronaut.png brick.png camera.png chelsea.png coffee.png coins.png grass.png gravel.png \
	hubble_deep_field.jpg ihc.png moon.png motorcycle_left.png retina.jpg rocket.jpg
# ESPCN in colour, trained for minutes on the pictures that come with scikit-image, by the published protocol.
bench-natural: $(VENV)/.with-all  ## models of three channels on Set5 and Set14, of EDGE_SR_DATA
	@test -n "$(EDGE_SR_DATA)" || { echo "error: EDGE_SR_DATA names no folder of data" >&2; exit 1; }
	mkdir -p $(RUNS)/brief/photographs
	cd $$($(BIN)/python -c 'import os, skimage; print(os.path.dirname(skimage.__file__))')/data && cp $(PHOTOGRAPHS) \
		$(abspath $(RUNS))/brief/photographs
	$(BIN)/edge-sr-host train espcn --config benchmarks/brief/espcn.toml --runs $(RUNS)/brief \
		--data $(RUNS)/brief/photographs
	$(BIN)/edge-sr-host export --mode espcn --runs $(RUNS)/brief -o $(RUNS)/brief/bundles/espcn --overwrite
	$(BIN)/python benchmarks/natural.py $(RUNS)/brief/bundles/espcn --sets $(EDGE_SR_DATA)/natural

# From nothing to a refined bundle. On two cores with AMX about an hour and a half, without AMX most of a day; a GPU is
# used where there is one. Stopped at any place, the same command goes on.
train-default: $(VENV)/.with-all  ## train the default model anew from the pictures that EDGE_SR_DATA names
	for network in autoencoder feedforward diffusion; do $(BIN)/edge-sr-host train $$network --runs $(RUNS) || exit; done
	$(BIN)/edge-sr-host export --runs $(RUNS) -o $(RUNS)/bundle --baselines $(RUNS)/baselines --overwrite
	$(BIN)/edge-sr-host train refine --runs $(RUNS) --from $(RUNS)/bundle --baselines $(RUNS)/baselines
	$(BIN)/edge-sr-host export --mode refined --name cxr-x4-edge --runs $(RUNS) -o $(RUNS)/refined --overwrite
	$(BIN)/edge-sr-host prepare $(EDGE_SR_DATA)/nih -o $(RUNS)/pairs --layout folders --overwrite
	$(BIN)/edge-sr calibrate $(RUNS)/refined --ship --images $(RUNS)/pairs/train/LR_64 --phantoms 32 \
		--truth $(RUNS)/pairs/validation/HR_256
	$(BIN)/edge-sr-host evaluate $(RUNS)/refined --baselines $(RUNS)/baselines --runs $(RUNS) --out $(RUNS)/evaluation

# About an hour of two cores with AMX. Stopped at any place, the same command goes on.
train-fast: $(VENV)/.with-all  ## train the feed-forward model anew from the pictures that EDGE_SR_DATA names
	$(BIN)/edge-sr-host train feedforward --runs $(RUNS)
	$(BIN)/edge-sr-host train fast --runs $(RUNS) --start $(RUNS)/feedforward/weights.safetensors
	$(BIN)/edge-sr-host export --mode fast --runs $(RUNS) -o $(RUNS)/fast-bundle --overwrite
	$(BIN)/edge-sr-host prepare $(EDGE_SR_DATA)/nih -o $(RUNS)/pairs --layout folders --overwrite
	$(BIN)/edge-sr calibrate $(RUNS)/fast-bundle --ship --images $(RUNS)/pairs/train/LR_64 --phantoms 32 \
		--truth $(RUNS)/pairs/validation/HR_256

wheel: $(VENV)/.with-cpu  ## build dist/*.whl and hold its size against the limit
	@rm -rf build dist
	@$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	@rm -rf build
	@du -h dist/*.whl
	@test "$$(du -m dist/*.whl | cut -f1)" -le $(WHEEL_LIMIT_MB) || { echo "error: above $(WHEEL_LIMIT_MB) MB" >&2; exit 1; }

clean:  ## remove what the other targets made, the virtual environments included
	rm -rf .venv .venv-* build dist out *.egg-info .mypy_cache .pytest_cache .ruff_cache

# A stamp says what a virtual environment holds; it is renewed when the lists of packages change.
DECLARED := setup.py constraints.txt
INSTALL = $(@D)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

$(VENV)/bin/python:
	@test -n "$(PYTHON)"
	"$(PYTHON)" -m venv $(VENV)

.venv-%/bin/python:
	"$$(scripts/find-python $*)" -m venv .venv-$*

$(VENV)/.with-cpu: $(DECLARED) | $(VENV)/bin/python
	$(INSTALL) -e ".[cpu,demo]"
	@touch $@

$(VENV)/.with-all: $(DECLARED) | $(VENV)/bin/python
	$(INSTALL) -e ".[cpu,host,scale,build,service,demo,test]"
	@touch $@ $(VENV)/.with-cpu

.venv-%/.with-device: $(DECLARED) | .venv-%/bin/python
	$(INSTALL) ".[cpu,build,service,demo,test]"
	@touch $@

.PRECIOUS: .venv-%/bin/python .venv-%/.with-device
