// SPDX-License-Identifier: Apache-2.0
// Python errors out of functions that pybind11 does not call.
#pragma once

#include <pybind11/pybind11.h>

#include <exception>
#include <new>

#include "core/board/error.hpp"

namespace hbm::bindings {

// Sets the class of hbm_runtime.errors that belongs to the error.
void set_python_error(const Error& error);

// Calls `make` and returns its object; null with a Python error set if it throws.
template <typename Make>
PyObject* guarded(Make&& make) noexcept {
  try {
    return make().release().ptr();
  } catch (pybind11::error_already_set& error) {
    error.restore();
  } catch (const Error& error) {
    set_python_error(error);
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
  return nullptr;
}

}  // namespace hbm::bindings
