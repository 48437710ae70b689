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
cd "$build"
LD_PRELOAD="$tsan" TSAN_OPTIONS="${TSAN_OPTIONS:-halt_on_error=0 exitcode=66 history_size=4}" PYTHONPATH="$package" \
  python ../../test/soak/random_operations.py --no-memory-check --operations 5000 "$@"
echo "soak-tsan: no race seen"
