// SPDX-License-Identifier: Apache-2.0
// A plain CPython type, because one is made for every output of every run.
#include <array>
#include <new>
#include <utility>

#include "arrays.hpp"
#include "bindings.hpp"

namespace py = pybind11;

namespace hbm::bindings {
namespace {

// numpy shortens chains of views, so that real ones are short.
constexpr int kMostBases = 8;

struct DeviceMemory {
  PyObject_HEAD BufferRef buffer;
};

PyTypeObject* type = nullptr;  // never freed: arrays may outlive the module

void dealloc(PyObject* self) {
  reinterpret_cast<DeviceMemory*>(self)->buffer.~BufferRef();
  PyTypeObject* const own_type = Py_TYPE(self);
  own_type->tp_free(self);
  Py_DECREF(own_type);
}

PyObject* refuse_new(PyTypeObject*, PyObject*, PyObject*) {
  PyErr_SetString(PyExc_TypeError, "device memory comes from runs and input_buffers()");
  return nullptr;
}

}  // namespace

py::object keep_device_memory(BufferRef buffer) {
  PyObject* const made = type->tp_alloc(type, 0);
  if (made == nullptr) throw py::error_already_set();
  new (&reinterpret_cast<DeviceMemory*>(made)->buffer) BufferRef(std::move(buffer));
  return py::reinterpret_steal<py::object>(made);
}

BufferRef device_memory_of(PyObject* array) noexcept {
  const auto& api = py::detail::npy_api::get();
  for (int depth = 0; depth < kMostBases && array != nullptr; ++depth) {
    if (Py_TYPE(array) == type) return reinterpret_cast<DeviceMemory*>(array)->buffer;
    if (!api.PyArray_Check_(array)) break;
    array = py::detail::array_proxy(array)->base;
  }
  return {};
}

void register_device_memory(py::module_&) {
  static std::array<PyType_Slot, 4> slots{{
      {Py_tp_dealloc, reinterpret_cast<void*>(&dealloc)},
      {Py_tp_new, reinterpret_cast<void*>(&refuse_new)},
      {Py_tp_doc, const_cast<char*>("Device memory that arrays are views of.")},
      {0, nullptr},
  }};
  static PyType_Spec spec{"hbm_runtime._core.DeviceMemory", sizeof(DeviceMemory), 0,
                          Py_TPFLAGS_DEFAULT, slots.data()};
  type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  if (type == nullptr) throw py::error_already_set();
}

}  // namespace hbm::bindings
