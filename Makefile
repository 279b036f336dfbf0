# Two commands to begin with: make demo, make test. The rest: make help.

PYTHON ?= python3.11
VENV ?= .venv
CORES ?= 2
# Without a GPU, torch should be its CPU build. Where the plain requirement would bring the CUDA build, give pip what it
# needs to find the CPU one, e.g. make demo TORCH="torch==2.13.0 --index-url URL-OF-THE-CPU-WHEELS".
TORCH ?= torch==2.13.0

BIN := $(VENV)/bin
READY := $(VENV)/.ready
PROFILE ?= local
SNAKEMAKE := $(BIN)/snakemake --profile $(PROFILE) $(if $(filter local,$(PROFILE)),--cores $(CORES))

.PHONY: help setup run demo pydocs reproduce-days test test-slurm test-faults soak fuzz lint dag bench bench-full bench-science rates lock clean-demo
.DEFAULT_GOAL := help

help:
	@echo "make demo     train a small model, find its planted circle and triangle, write results/demo/report.html"
	@echo "make run TARGET=results/mine/report.html [PROFILE=slurm]  any result, under a lock that ends with its run"
	@echo "make test     the whole test suite"
	@echo "make fuzz     10,000 hostile inputs to each reader of foreign files"
	@echo "make test-faults  200 faulty runs (kills, full disks, damaged files), write docs/reliability.md (half an hour)"
	@echo "make soak     200 shards beside a second run, one job in ten killed; what stays of it (a quarter of an hour)"
	@echo "make test-slurm  the demo and disturbed harvests on a Slurm that it starts (as root, on Debian)"
	@echo "make lint     ruff, snakefmt, mypy, snakemake --lint"
	@echo "make dag      draw the rule graph and a job graph, print the job table"
	@echo "make pydocs   the same method on real text: documentation strings (up to 45 minutes)"
	@echo "make bench    time counting, files, figures and harvest beside other tools, write docs/benchmarks.md"
	@echo "make bench-full  65,536 latents on 10 million tokens through the whole workflow (half an hour, 20 GB)"
	@echo "make bench-science  planted shapes through the whole method, write docs/validation.md (up to an hour)"
	@echo "make rates    measure this machine, write the rates that \`estimate\` ships with, and docs/scaling.md"
	@echo "make setup    only the virtual environment $(VENV)"
	@echo "make lock     resolve requirements.lock anew"

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	grep -v "^torch==" requirements.lock > $(VENV)/all_but_torch.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $(VENV)/all_but_torch.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

# One run at a time on these results: the lock is the system's, so it ends with its process, and a lock that Snakemake
# left behind when it was killed is known to be stale and removed.
define run_workflow
	@mkdir -p results
	@flock --nonblock --conflict-exit-code 75 results/.run.lock sh -c '\
		$(SNAKEMAKE) --quiet all --unlock $(1) >/dev/null 2>&1; exec $(SNAKEMAKE) $(1)' \
		|| { code=$$?; [ $$code -ne 75 ] || echo "another make run works on results/: wait for it, or stop it" >&2; exit $$code; }
endef

run: $(READY)
	$(call run_workflow,$(TARGET))

demo: $(READY)
	$(call run_workflow,results/demo/report.html)
	@$(BIN)/coactivation-manifolds headline results/demo

pydocs: $(READY)
	$(call run_workflow,results/pydocs/report.html)
	@$(BIN)/coactivation-manifolds headline results/pydocs

# Its clusters by cosine are scored too, so that their ranks stand beside those by co-activation.
DAYS := results/gpt2-small_layer7_days
DAYS_SCORED := components_j0.20 leiden_cpm_phi_j0.05_r0.050_s0 cosine_components_c0.50 cosine_leiden_cpm_c0.30_r0.400_s0

reproduce-days: $(READY)
	$(call run_workflow,$(DAYS)/report.html $(DAYS_SCORED:%=$(DAYS)/geometry/%/scores.parquet))
	@$(BIN)/coactivation-manifolds compare-published $(DAYS) docs/published/days.yaml --out results/published_days.parquet

test: $(READY)
	$(BIN)/python -m pytest -n $(CORES) --dist loadfile -m "not slurm"

# Starts a Slurm of its own: as root on a machine like Debian; elsewhere the tests are skipped and say why.
# SLURM_WHOLE_DEMO=yes runs the demo up to its report, not to a figure only.
# With SLURM_ACCOUNTING=yes it has an accounting database, and jobs are looked after with sacct in place of squeue.
SLURM_PACKAGES := slurmctld slurmd slurm-client munge $(if $(filter yes,$(SLURM_ACCOUNTING)),slurmdbd mariadb-server)
SLURM_DAEMONS := slurmctld slurmd munged $(if $(filter yes,$(SLURM_ACCOUNTING)),slurmdbd mariadbd)
test-slurm: $(READY)
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && ! which $(SLURM_DAEMONS) >/dev/null; then \
		apt-get update -qq && apt-get install -y -qq $(SLURM_PACKAGES) >/dev/null \
			|| echo "Slurm could not be installed: its tests are skipped"; fi
	$(BIN)/python -m pytest tests/slurm

# Short forms of these run in the test suite.
EXAMPLES ?= 10000
fuzz: $(READY)
	COACTIVATION_FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -n $(CORES) tests/security/test_fuzz_*.py

# Number of fault runs. Small and read-only file systems need root, failing writes a C compiler; else those are left out.
N ?= 200

test-faults: $(READY)
	$(BIN)/python tests/faults/run_faults.py --runs $(N)
	$(BIN)/python docs/write_reliability.py

soak: $(READY)
	$(BIN)/python tests/faults/run_soak.py
	$(BIN)/python docs/write_reliability.py

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/mypy
	$(BIN)/snakemake --lint

dag: $(READY)
	$(BIN)/python docs/draw_dags.py

# What each measures, and how to run one alone: the first lines of each.
BENCHMARKS := count_pairs merge_shards read_write draw_figures harvest plan_workflow check_estimate

bench: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -e ".[bench]"
	for name in $(BENCHMARKS); do $(BIN)/python benchmarks/$$name.py || exit 1; done
	$(BIN)/python benchmarks/write_page.py

bench-full: $(READY)
	$(BIN)/python benchmarks/full_run.py
	$(BIN)/python benchmarks/write_page.py

bench-science: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -e ".[shapes]"
	$(BIN)/python benchmarks/science.py --threads $(CORES)
	$(BIN)/python benchmarks/edge_significance.py --threads $(CORES)
	$(BIN)/python benchmarks/science_page.py

rates: $(READY)
	$(BIN)/python benchmarks/check_estimate.py --write-rates coactivation_manifolds/estimate/rates.yaml
	$(BIN)/python docs/write_scaling.py

# uv lists the hashes of all files of a version, so that the lock serves any platform. It reads no pip.conf: where pip
# needs one to find packages, tell uv the same (UV_INDEX, UV_FIND_LINKS).
lock:
	rm -rf .venv-lock build
	$(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet $(TORCH)
	.venv-lock/bin/python -m pip install --quiet "setuptools>=77"
	.venv-lock/bin/python -m pip install --quiet --no-build-isolation ".[test]"
	.venv-lock/bin/python -m pip freeze --all --exclude coactivation-manifolds --exclude pip --exclude torch > .venv-lock/exact.txt
	.venv-lock/bin/python -m pip install --quiet --dry-run --ignore-installed --no-deps --report .venv-lock/torch.json $(TORCH)
	.venv-lock/bin/python -m pip install --quiet uv
	.venv-lock/bin/uv pip compile --quiet --no-deps --generate-hashes --no-header --no-annotate --no-emit-index-url \
		--no-emit-find-links --output-file .venv-lock/hashed.txt .venv-lock/exact.txt
	.venv-lock/bin/python envs/write_lock.py .venv-lock/hashed.txt .venv-lock/torch.json
	rm -rf .venv-lock build
	$(BIN)/python envs/from_lock.py

clean-demo:
	rm -rf results/demo logs/demo
