# SPDX-License-Identifier: Apache-2.0
# The C++ storeys of the tests: test/cpp (core and reader) and test/abi (the simulator's ABI).

include("${CMAKE_CURRENT_LIST_DIR}/google_test.cmake")
enable_testing()
set(HBM_TEST_RESULTS_DIR "${CMAKE_CURRENT_BINARY_DIR}/test_results"
  CACHE PATH "Where the tests write their JUnit XML")
set(HBM_TEST_DIR "${CMAKE_CURRENT_LIST_DIR}/../../test")

# The engine of the Python environment, for the tests that compute.
execute_process(
  COMMAND "${Python3_EXECUTABLE}" -c
    "import glob, importlib.util as u, os; s = u.find_spec('onnxruntime'); \
print(max(glob.glob(os.path.join(s.submodule_search_locations[0], 'capi', 'libonnxruntime.so.*'))))"
  OUTPUT_VARIABLE HBM_TEST_ENGINE OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)

# One binary, one ctest entry, one result file.
function(hbm_test name)
  add_executable(${name} ${ARGN})
  target_include_directories(${name} PRIVATE
    "${HBM_TEST_DIR}/cpp" "${CMAKE_CURRENT_SOURCE_DIR}")
  target_link_libraries(${name} PRIVATE hbm_abi hbm_options GTest::gtest_main)
  add_test(NAME ${name}
    COMMAND ${name} "--gtest_output=xml:${HBM_TEST_RESULTS_DIR}/${name}.gtest.xml")
  set_tests_properties(${name} PROPERTIES TIMEOUT 120)
  if(HBM_TEST_ENGINE)
    set_property(TEST ${name} PROPERTY ENVIRONMENT "HBM_SIM_ENGINE=${HBM_TEST_ENGINE}")
  endif()
endfunction()

hbm_test(cpp_test
  "${HBM_TEST_DIR}/cpp/admission_test.cpp"
  "${HBM_TEST_DIR}/cpp/core_use_test.cpp"
  "${HBM_TEST_DIR}/cpp/error_test.cpp"
  "${HBM_TEST_DIR}/cpp/histogram_test.cpp"
  "${HBM_TEST_DIR}/cpp/layout_test.cpp"
  "${HBM_TEST_DIR}/cpp/model_file_test.cpp"
  "${HBM_TEST_DIR}/cpp/number_variable_test.cpp"
  "${HBM_TEST_DIR}/cpp/quantization_test.cpp"
  "${HBM_TEST_DIR}/cpp/scheduling_test.cpp"
  "${HBM_TEST_DIR}/cpp/statistics_test.cpp"
  "${HBM_TEST_DIR}/cpp/strided_copy_test.cpp"
  "${HBM_TEST_DIR}/cpp/trace_test.cpp")
target_link_libraries(cpp_test PRIVATE hbm_core hbm_model_file)

# These link against our pair as any program for the ABI does.
hbm_test(abi_test
  "${HBM_TEST_DIR}/abi/calls_test.cpp"
  "${HBM_TEST_DIR}/abi/memory_test.cpp"
  "${HBM_TEST_DIR}/abi/model_test.cpp"
  "${HBM_TEST_DIR}/abi/task_test.cpp"
  "${HBM_TEST_DIR}/abi/tensor_test.cpp")
hbm_test(abi_order_test "${HBM_TEST_DIR}/abi/order_test.cpp")
hbm_test(abi_cores_test "${HBM_TEST_DIR}/abi/cores_test.cpp")
hbm_test(abi_environment_test "${HBM_TEST_DIR}/abi/environment_test.cpp")
hbm_test(abi_strict_test "${HBM_TEST_DIR}/abi/strict_test.cpp")
hbm_test(abi_thread_start_test "${HBM_TEST_DIR}/abi/thread_start_test.cpp")
target_link_libraries(abi_thread_start_test PRIVATE Threads::Threads ${CMAKE_DL_LIBS})
foreach(name abi_test abi_order_test abi_cores_test abi_environment_test abi_strict_test
    abi_thread_start_test)
  target_link_libraries(${name} PRIVATE dnn hbucp)
endforeach()

# The scheduler and the device as such, without a model: random jobs against a reference.
hbm_test(abi_random_jobs_test
  "${HBM_TEST_DIR}/abi/random_jobs_test.cpp"
  "${HBM_TEST_DIR}/abi/scheduler_test.cpp"
  $<TARGET_OBJECTS:hbm_sim_device>)
target_link_libraries(abi_random_jobs_test PRIVATE Threads::Threads)

include("${CMAKE_CURRENT_LIST_DIR}/conformance.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/fuzz.cmake")

# What `make bench` measures with, and the test of it.
add_subdirectory("${HBM_TEST_DIR}/bench" "${CMAKE_CURRENT_BINARY_DIR}/bench_objects")
function(hbm_null_backend_test name)
  hbm_test(${name} ${ARGN} "${HBM_TEST_DIR}/cpp/allocation_count.cpp")
  target_compile_definitions(${name} PRIVATE "HBM_NULL_BACKEND_DIR=\"${HBM_NULL_BACKEND_DIR}\"")
  target_link_libraries(${name} PRIVATE hbm_core)
  add_dependencies(${name} hbm_null_dnn hbm_null_ucp)
endfunction()
hbm_null_backend_test(null_backend_test
  "${HBM_TEST_DIR}/bench/null_backend/null_backend_test.cpp")
hbm_null_backend_test(allocation_test "${HBM_TEST_DIR}/cpp/bound_run_allocation_test.cpp")
hbm_null_backend_test(job_test "${HBM_TEST_DIR}/cpp/job_deadline_test.cpp")
set_target_properties(allocation_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${HBM_BENCH_DIR}")
