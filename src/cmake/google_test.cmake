# SPDX-License-Identifier: Apache-2.0
# GoogleTest: an installed one, else the sources that a ROS distribution carries (gtest_vendor).

find_package(GTest QUIET)
if(NOT TARGET GTest::gtest_main)
  find_package(gtest_vendor QUIET)
  if(NOT gtest_vendor_FOUND)
    message(FATAL_ERROR "HBM_BUILD_TESTS needs GoogleTest: install libgtest-dev (Debian, Ubuntu) "
      "or source a ROS installation")
  endif()
  add_subdirectory("${gtest_vendor_BASE_DIR}" "${CMAKE_CURRENT_BINARY_DIR}/gtest" EXCLUDE_FROM_ALL)
  target_include_directories(gtest SYSTEM INTERFACE "${gtest_vendor_BASE_DIR}/include")
  target_link_libraries(gtest_main PUBLIC gtest)
  add_library(GTest::gtest ALIAS gtest)
  add_library(GTest::gtest_main ALIAS gtest_main)
endif()
