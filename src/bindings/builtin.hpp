// SPDX-License-Identifier: Apache-2.0
// Built-in functions with a state, because pybind11's calls cost as much as all of a small run.
#pragma once

#include <pybind11/pybind11.h>

#include <exception>
#include <memory>
#include <new>
#include <utility>

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

// The state of the built-in function that was called with this `self`.
template <typename State>
[[nodiscard]] const State& state_of(PyObject* self) {
  return *static_cast<State*>(PyCapsule_GetPointer(self, State::kName));
}

// The method must live for ever; the state lives as long as the function.
template <typename State>
[[nodiscard]] pybind11::object make_builtin(PyMethodDef& method, State state) {
  auto owned = std::make_unique<State>(std::move(state));
  const pybind11::capsule self(owned.get(), State::kName, [](PyObject* capsule) {
    const std::unique_ptr<State> last(
        static_cast<State*>(PyCapsule_GetPointer(capsule, State::kName)));
  });
  static_cast<void>(owned.release());  // the capsule's now
  auto function =
      pybind11::reinterpret_steal<pybind11::object>(PyCFunction_New(&method, self.ptr()));
  if (!function) throw pybind11::error_already_set();
  return function;
}

}  // namespace hbm::bindings
