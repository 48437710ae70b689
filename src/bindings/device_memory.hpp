// SPDX-License-Identifier: Apache-2.0
// The Python object that keeps device memory alive under numpy arrays.
#pragma once

#include <pybind11/pybind11.h>

#include "core/memory/pool.hpp"

namespace hbm::bindings {

// A new object that owns the buffer; it goes back to its pool with the last array on it.
[[nodiscard]] pybind11::object keep_device_memory(BufferRef buffer);

// The device memory under an array, found by following its bases; none if there is none.
[[nodiscard]] BufferRef device_memory_of(PyObject* array) noexcept;

}  // namespace hbm::bindings
