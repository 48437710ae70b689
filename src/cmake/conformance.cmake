# SPDX-License-Identifier: Apache-2.0
# The conformance suite: a C11 program for the accelerator's ABI that knows nothing of ours.

find_package(Threads REQUIRED)

set(HBM_CONFORMANCE_DIR "${HBM_TEST_DIR}/conformance")
set(HBM_CONFORMANCE_MODELS "${CMAKE_CURRENT_BINARY_DIR}/conformance_models")
file(GLOB HBM_CONFORMANCE_SOURCES CONFIGURE_DEPENDS "${HBM_CONFORMANCE_DIR}/*.c")

add_executable(conformance_suite ${HBM_CONFORMANCE_SOURCES})
set_target_properties(conformance_suite PROPERTIES C_STANDARD 11 C_STANDARD_REQUIRED ON)
target_compile_options(conformance_suite PRIVATE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes
  $<$<BOOL:${HBM_WARNINGS_AS_ERRORS}>:-Werror>)
target_include_directories(conformance_suite PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}/abi")
target_link_libraries(conformance_suite PRIVATE dnn hbucp Threads::Threads ${CMAKE_DL_LIBS})
if(HBM_SANITIZE)
  target_compile_options(conformance_suite PRIVATE
    -fsanitize=${HBM_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(conformance_suite PRIVATE -fsanitize=${HBM_SANITIZE})
endif()

# The models are made when the test runs: a build needs no Python packages.
add_test(NAME conformance_suite COMMAND "${Python3_EXECUTABLE}"
  "${HBM_CONFORMANCE_DIR}/run_suite.py" "$<TARGET_FILE:conformance_suite>"
  "${HBM_CONFORMANCE_MODELS}" "${HBM_TEST_RESULTS_DIR}/conformance_suite.rows.xml")
set_tests_properties(conformance_suite PROPERTIES TIMEOUT 300)
if(HBM_TEST_ENGINE)
  set_property(TEST conformance_suite PROPERTY ENVIRONMENT "HBM_SIM_ENGINE=${HBM_TEST_ENGINE}")
endif()
