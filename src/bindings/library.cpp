// SPDX-License-Identifier: Apache-2.0
// Binds the accelerator's pair of libraries.
#include "core/board/library.hpp"

#include <pybind11/stl.h>

#include "bindings.hpp"
#include "waiting.hpp"

namespace py = pybind11;

namespace hbm::bindings {

void register_library(py::module_& module) {
  // pybind11 holders cannot be pointers to const.
  py::class_<Library, std::shared_ptr<Library>>(module, "Library",
                                                "The accelerator's libhbucp.so and libdnn.so.")
      .def_static(
          "open",
          [](const std::string& folder) {
            return std::const_pointer_cast<Library>(Library::open(folder));
          },
          py::arg("folder"), py::call_guard<GilReleased<>>(),
          "Open the pair in a folder, or with '' where the loader finds it.")
      .def_property_readonly("path", &Library::folder, "The folder; '' if the loader chose.")
      .def_property_readonly("is_simulator", &Library::is_simulator,
                             "Whether this is the simulator.")
      .def_property_readonly("core_count", &Library::core_count, "BPU cores of the chip.")
      .def_property_readonly("soc_name", &Library::soc_name,
                             "Name of the chip; '' if the library does not tell.")
      .def_property_readonly("ucp_version", &Library::ucp_version, "Version of libhbucp.so.")
      .def_property_readonly("dnn_version", &Library::dnn_version, "Version of libdnn.so.");
}

}  // namespace hbm::bindings
