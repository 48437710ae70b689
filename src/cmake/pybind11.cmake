# SPDX-License-Identifier: Apache-2.0
# pybind11 of the Python that is built for, unless pybind11_DIR names another.

# The interpreter first: pybind11 must not pick another Python by itself.
find_package(Python3 COMPONENTS Interpreter Development.Module REQUIRED)
set(Python_EXECUTABLE "${Python3_EXECUTABLE}")
set(PYTHON_EXECUTABLE "${Python3_EXECUTABLE}")
if(NOT pybind11_DIR)
  execute_process(
    COMMAND "${Python3_EXECUTABLE}" -c "import pybind11; print(pybind11.get_cmake_dir())"
    OUTPUT_VARIABLE pybind11_of_python OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(pybind11_of_python)
    set(pybind11_DIR "${pybind11_of_python}")
  endif()
endif()
find_package(pybind11 2.9 CONFIG REQUIRED)
