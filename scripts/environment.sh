# SPDX-License-Identifier: Apache-2.0
# Puts .venv, its ROS and, once built, this package into a bash: source scripts/environment.sh
# With the argument "underlay" the built package is left out, as a build needs it.

_hbm_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [[ -f "$_hbm_root/.venv/local_setup.bash" ]]; then # ROS from PyPI
  source "$_hbm_root/.venv/local_setup.bash"
elif [[ ":$PATH:" != *":$_hbm_root/.venv/bin:"* ]]; then # over a sourced ROS
  export PATH="$_hbm_root/.venv/bin:$PATH"
fi
if [[ "${1:-}" != underlay && -f "$_hbm_root/install/setup.bash" ]]; then
  source "$_hbm_root/install/setup.bash"
fi
unset _hbm_root
