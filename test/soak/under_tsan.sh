#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds core, binding and simulator with ThreadSanitizer and runs the soak on them, under Python.
set -e
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

build=$PWD/build/tsan
package=$PWD/build/tsan-package # the package with the instrumented libraries in it
cmake -S src -B "$build" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DHBM_SANITIZE=thread \
  -DPython3_EXECUTABLE="$(command -v python)" >/dev/null
cmake --build "$build" --parallel "$(nproc)" | grep -E 'error|warning|FAILED' -A8 || true
rm -rf "$package"
mkdir -p "$package"
cp -r hbm_runtime "$package"
cmake --install "$build" --prefix "$package" >/dev/null

# Python itself is not instrumented: the sanitizer has to come first. It sees the races in our
# libraries, and through the interlocks of the C library what Python and the engine order.
tsan=$("${CXX:-c++}" -print-file-name=libtsan.so)
[[ "$tsan" == /* ]] || {
  echo "soak-tsan: the compiler brings no libtsan" >&2
  exit 1
}
options="exitcode=66 history_size=4 suppressions=$PWD/test/soak/tsan_suppressions.txt ${TSAN_OPTIONS:-}"
soak=$PWD/test/soak/random_operations.py
cd "$build" # not the repository: the package there has no libraries
LD_PRELOAD="$tsan" TSAN_OPTIONS="$options" PYTHONPATH="$package" \
  python "$soak" --no-memory-check --operations 20000 "$@"
echo "soak-tsan: no race seen"
