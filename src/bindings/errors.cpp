// SPDX-License-Identifier: Apache-2.0
// Turns the core's exception into the classes of hbm_runtime.errors.
#include <string>

#include "bindings.hpp"
#include "builtin.hpp"
#include "waiting.hpp"

namespace py = pybind11;

namespace hbm::bindings {
namespace {

const char* class_of(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::kInput:
      return "HBMInputError";
    case ErrorKind::kLibrary:
      return "HBMLibraryError";
    case ErrorKind::kModel:
      return "HBMModelError";
    case ErrorKind::kMemory:
      return "HBMMemoryError";
    case ErrorKind::kTimeout:
      return "HBMTimeoutError";
    case ErrorKind::kBusy:
      return "HBMBusyError";
    case ErrorKind::kClosed:
      return "HBMClosedError";
    case ErrorKind::kTask:
      break;
  }
  return "HBMTaskError";
}

py::object text_or_none(const std::string& text) {
  return text.empty() ? py::object(py::none()) : py::object(to_text(text));
}

}  // namespace

void set_python_error(const Error& error) {
  using namespace pybind11::literals;
  const RunningCall running;  // a thread that ends in Python's code cannot unwind through `guarded`
  try {
    const py::object type = py::module_::import("hbm_runtime.errors").attr(class_of(error.kind()));
    const bool of_abi = error.status() != 0;
    const py::object status = of_abi ? py::object(py::int_(error.status())) : py::none();
    const py::object name = of_abi ? text_or_none(status_name(error.status())) : py::none();
    const py::object made =
        type(to_text(error.what()), "call"_a = text_or_none(error.call()), "status"_a = status,
             "status_name"_a = name, "model"_a = text_or_none(error.model()),
             "tensor"_a = text_or_none(error.tensor()));
    PyErr_SetObject(type.ptr(), made.ptr());
  } catch (py::error_already_set& other) {
    other.restore();  // no memory, or the package is gone
  }
}

void register_errors(py::module_&) {
  py::register_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const Error& error) {
      set_python_error(error);
    }
  });
}

}  // namespace hbm::bindings
