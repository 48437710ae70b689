# SPDX-License-Identifier: Apache-2.0
# Fuzz targets of the model file's reader: libFuzzer with clang, our small driver with GCC.

include(CheckCXXSourceCompiles)
set(HBM_FUZZ_DIR "${HBM_TEST_DIR}/fuzz")
set(fuzz_flags -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1 -g)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  set(fuzz_coverage -fsanitize=fuzzer-no-link)
  set(fuzz_link -fsanitize=fuzzer)
  set(fuzz_driver "")
else()
  set(fuzz_coverage -fsanitize-coverage=trace-pc)
  set(fuzz_link "")
  set(fuzz_driver "${HBM_FUZZ_DIR}/gcc_driver.cpp")
endif()

set(CMAKE_REQUIRED_FLAGS "-fsanitize=address,undefined")
check_cxx_source_compiles("int main() { return 0; }" HBM_HAS_ASAN)
unset(CMAKE_REQUIRED_FLAGS)
# Another sanitizer of the whole build does not go together with these.
if(NOT HBM_HAS_ASAN OR HBM_SANITIZE)
  return()
endif()

# Only what is tested steers the fuzzer: the targets themselves have no coverage.
get_target_property(fuzzed_sources hbm_model_file SOURCES)
list(TRANSFORM fuzzed_sources PREPEND model_file/)
add_library(hbm_fuzzed OBJECT ${fuzzed_sources})
target_link_libraries(hbm_fuzzed PRIVATE hbm_abi hbm_options)
target_compile_options(hbm_fuzzed PRIVATE ${fuzz_flags} ${fuzz_coverage})

set(fuzzers model_file_fuzzer graph_bytes_fuzzer)
foreach(name ${fuzzers})
  add_executable(${name} "${HBM_FUZZ_DIR}/${name}.cpp" ${fuzz_driver} $<TARGET_OBJECTS:hbm_fuzzed>)
  target_include_directories(${name} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE hbm_abi hbm_options)
  target_compile_options(${name} PRIVATE ${fuzz_flags})
  target_link_options(${name} PRIVATE ${fuzz_flags} ${fuzz_link})
  list(APPEND fuzz_programs "$<TARGET_FILE:${name}>")
endforeach()

# A short run of each; `make fuzz` takes longer ones.
add_test(NAME fuzz COMMAND "${Python3_EXECUTABLE}" "${HBM_FUZZ_DIR}/run_fuzzers.py" ${fuzz_programs}
  --folder "${CMAKE_CURRENT_BINARY_DIR}/fuzz" --seconds 8
  --junit "${HBM_TEST_RESULTS_DIR}/fuzz.targets.xml")
set_tests_properties(fuzz PROPERTIES TIMEOUT 180)
