#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the package with colcon into build/ and install/; from scratch if .venv has been made anew since.
set -e
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/environment.sh underlay

if ! cmp --silent .venv/origin.json build/origin.json; then
  if [[ -d build/hbm_runtime_ros ]]; then
    echo "build: .venv is another one than at the last build, so everything is built again"
  fi
  rm -rf build/hbm_runtime_ros install log
  mkdir -p build
  cp .venv/origin.json build/origin.json
fi

# The outer make's job server is not for the inner one.
unset MAKEFLAGS MFLAGS MAKELEVEL
# Copies instead of --symlink-install: what the tests see is then what a user installs, and an edit
# that was not built cannot pass.
colcon build \
  --packages-select hbm_runtime_ros \
  --event-handlers console_direct+ desktop_notification- \
  --cmake-args \
  -DPython3_EXECUTABLE="$PWD/.venv/bin/python" \
  -Dpybind11_DIR="$(python -c 'import pybind11; print(pybind11.get_cmake_dir())')" \
  -DHBM_WARNINGS_AS_ERRORS="${HBM_WARNINGS_AS_ERRORS:-OFF}" \
  -DCMAKE_INSTALL_MESSAGE=NEVER \
  --no-warn-unused-cli
