// SPDX-License-Identifier: Apache-2.0
// numpy arrays as the core's inputs, and its device memory as numpy arrays.
#pragma once

#include <pybind11/numpy.h>

#include <cstdint>

#include "core/memory/pool.hpp"
#include "core/run/input_view.hpp"
#include "core/run/model_run.hpp"

namespace hbm::bindings {

// The array seen as this input; throws Error(kInput) for elements that no accelerator has.
[[nodiscard]] InputView view_of(const pybind11::array& array, const ModelInfo& model,
                                const TensorInfo& input);

// The same without errors: false unless it is a plain array of the input's data type.
[[nodiscard]] bool fill_view(PyObject* object, const TensorInfo& input, InputView& view);

// A writable view of the output's device memory, which it keeps.
[[nodiscard]] pybind11::object to_array(OutputTensor output);

// A new object that owns the buffer; it goes back to its pool with the last array on it.
[[nodiscard]] pybind11::object keep_device_memory(BufferRef buffer);

// The device memory under an array, found by following its bases; none if there is none.
[[nodiscard]] BufferRef device_memory_of(PyObject* array) noexcept;

}  // namespace hbm::bindings
