// SPDX-License-Identifier: Apache-2.0
// Text of a model file as a Python string: it may hold NULs and bytes that are not UTF-8.
#pragma once

#include <pybind11/pybind11.h>

#include <string>

namespace hbm::bindings {

[[nodiscard]] inline pybind11::str to_text(const std::string& bytes) {
  return pybind11::reinterpret_steal<pybind11::str>(PyUnicode_DecodeUTF8(
      bytes.data(), static_cast<Py_ssize_t>(bytes.size()), "backslashreplace"));
}

}  // namespace hbm::bindings
