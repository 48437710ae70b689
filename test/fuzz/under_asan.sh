#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Fuzzes image messages with core, binding and simulator under ASan and UBSan, in Python: FOLDER is their CMake build.
# Needs the built ROS package for its messages (make build). Other arguments go to fuzz_images.py.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
source scripts/environment.sh
set -e

build=$(realpath "${1:?the folder of a CMake build of src/ with HBM_SANITIZE=address,undefined}")
shift
package=$build/package # hbm_runtime with the instrumented libraries in it
rm -rf "$package"
mkdir -p "$package"
cp -r hbm_runtime "$package"
cmake --install "$build" --prefix "$package" >/dev/null

# Python itself is not instrumented: the sanitizer has to come first, and see the C++ library when it starts.
asan=$("${CXX:-c++}" -print-file-name=libasan.so)
libraries=$asan:$("${CXX:-c++}" -print-file-name=libstdc++.so)
[[ "$asan" == /* ]] || {
  echo "fuzz: the compiler brings no libasan" >&2
  exit 1
}
# Python and the libraries that it has loaded keep memory until the end, and that is no leak of ours.
export ASAN_OPTIONS="detect_leaks=0:exitcode=66:${ASAN_OPTIONS:-}"
export UBSAN_OPTIONS="print_stacktrace=1:${UBSAN_OPTIONS:-}"
# Each object in a block of its own, so that a read beyond its end is seen.
export PYTHONMALLOC=malloc
export PYTHONPATH="$package:$PYTHONPATH" PYTHONDONTWRITEBYTECODE=1
program=$PWD/test/fuzz/fuzz_images.py
finds=$PWD/build/fuzz/finds
log=$build/fuzz_images.log # what libjpeg and libpng say of each broken picture, and a report
cd "$build"                # not the repository: the packages there have no libraries and messages
python -c "import hbm_runtime_ros.msg" || {
  echo "fuzz: the ROS package is not built: make build" >&2
  exit 1
}
fuzz() {
  LD_PRELOAD="$libraries" python "$program" --folder "$finds" "$@" 2>"$log"
}
status=0
fuzz --overread || status=$?
[ "$status" = 66 ] || {
  tail -n 80 "$log" >&2
  echo "fuzz: an array was read beyond its end and the sanitizer did not see it" >&2
  exit 1
}
fuzz "$@" || {
  status=$?
  tail -n 80 "$log" >&2
  exit "$status"
}
