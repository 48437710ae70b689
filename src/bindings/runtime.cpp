// SPDX-License-Identifier: Apache-2.0
// Binds the runtime: numpy arrays in, numpy views of device memory out.
#include "core/runtime.hpp"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "bindings.hpp"
#include "core/data_type.hpp"
#include "core/error.hpp"
#include "exit.hpp"
#include "text.hpp"

namespace py = pybind11;

namespace hbm::bindings {
namespace {

constexpr int32_t kNoDataType = -1;

// The accelerator's data type of a numpy element; kNoDataType for one that it does not have.
int32_t data_type_of(char kind, py::ssize_t size) noexcept {
  switch (kind) {
    case 'b':
      return HB_DNN_TENSOR_TYPE_BOOL8;
    case 'i':
      return size == 1   ? HB_DNN_TENSOR_TYPE_S8
             : size == 2 ? HB_DNN_TENSOR_TYPE_S16
             : size == 4 ? HB_DNN_TENSOR_TYPE_S32
                         : HB_DNN_TENSOR_TYPE_S64;
    case 'u':
      return size == 1   ? HB_DNN_TENSOR_TYPE_U8
             : size == 2 ? HB_DNN_TENSOR_TYPE_U16
             : size == 4 ? HB_DNN_TENSOR_TYPE_U32
                         : HB_DNN_TENSOR_TYPE_U64;
    case 'f':
      return size == 2   ? HB_DNN_TENSOR_TYPE_F16
             : size == 4 ? HB_DNN_TENSOR_TYPE_F32
             : size == 8 ? HB_DNN_TENSOR_TYPE_F64
                         : kNoDataType;
    default:
      return kNoDataType;
  }
}

// The 4-bit types have no numpy element: they come as bytes of two.
bool is_packed(int32_t data_type) { return data_type_row(data_type).bits == 4; }

const py::dtype& dtype_of(int32_t data_type) {
  // Never freed: numpy may be gone before static objects are.
  static const auto* const dtypes = new std::array<py::dtype, HB_DNN_TENSOR_TYPE_MAX>{
      py::dtype("uint8"),   py::dtype("uint8"),  py::dtype("int8"),    py::dtype("uint8"),
      py::dtype("float16"), py::dtype("int16"),  py::dtype("uint16"),  py::dtype("float32"),
      py::dtype("int32"),   py::dtype("uint32"), py::dtype("float64"), py::dtype("int64"),
      py::dtype("uint64"),  py::dtype("bool")};
  return (*dtypes)[static_cast<std::size_t>(data_type)];
}

InputView view_of(const py::array& array, const ModelInfo& model, const TensorInfo& input) {
  const auto* description = py::detail::array_descriptor_proxy(array.dtype().ptr());
  InputView view;
  view.data = static_cast<const std::byte*>(array.data());
  view.data_type = data_type_of(description->kind, array.itemsize());
  if (is_packed(input.data_type) && array.itemsize() == 1) view.data_type = input.data_type;
  view.other_byte_order = description->byteorder == '>';
  if (view.data_type == kNoDataType) {
    throw Error(ErrorKind::kInput,
                "Data type mismatch for input tensor '" + input.name + "' in model '" + model.name +
                    "': expected data type " + describe_data_type(input.data_type) +
                    ", got numpy's " + std::string(py::str(array.dtype())) +
                    "; convert the array with astype",
                {model.name, input.name});
  }
  view.shape.assign(array.shape(), array.shape() + array.ndim());
  view.strides.assign(array.strides(), array.strides() + array.ndim());
  return view;
}

py::array to_array(OutputTensor&& output) {
  auto owner = std::make_unique<std::shared_ptr<DeviceBuffer>>(std::move(output.buffer));
  std::byte* const data = (*owner)->data();
  const py::capsule keeper(owner.get(), [](void* pointer) {
    const std::unique_ptr<std::shared_ptr<DeviceBuffer>> last(
        static_cast<std::shared_ptr<DeviceBuffer>*>(pointer));
  });
  static_cast<void>(owner.release());  // the capsule's now
  return py::array(dtype_of(output.data_type), output.shape, output.strides, data, keeper);
}

// Lets Ctrl-C and the interpreter's end finish a long wait.
void look_up() {
  throw_if_ending();
  const py::gil_scoped_acquire gil;
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

std::optional<Deadline::Clock::duration> to_duration(std::optional<double> seconds) {
  if (!seconds) return std::nullopt;
  constexpr double kLongest = 1e9;  // about 30 years, so that it fits a duration
  const double bounded = *seconds < 0 ? 0 : *seconds < kLongest ? *seconds : kLongest;
  return std::chrono::duration_cast<Deadline::Clock::duration>(
      std::chrono::duration<double>(bounded));
}

// requests: a list of (model index, list of arrays in the model's order, Scheduling).
py::list run(const Runtime& runtime, const py::list& requests, std::optional<double> timeout) {
  const auto& models = runtime.packed().models();
  std::vector<Request> prepared;
  prepared.reserve(requests.size());
  for (const py::handle item : requests) {
    const auto parts = py::reinterpret_borrow<py::tuple>(item);
    Request request;
    request.model = parts[0].cast<std::size_t>();
    request.sched = parts[2].cast<const SchedParam&>();
    const ModelInfo& model = models.at(request.model);
    const auto arrays = parts[1].cast<py::list>();
    for (std::size_t index = 0; index < arrays.size(); ++index) {
      request.inputs.push_back(
          view_of(arrays[index].cast<py::array>(), model, model.inputs.at(index)));
    }
    prepared.push_back(std::move(request));
  }
  std::vector<std::vector<OutputTensor>> outputs;
  std::optional<RunningCall> running(std::in_place);
  {
    // The caller's list holds the arrays; the GIL is free from copy-in to the last output.
    const py::gil_scoped_release free_gil;
    try {
      outputs = runtime.run(prepared, Deadline(to_duration(timeout), look_up));
    } catch (const InterpreterEnding&) {
      running.reset();  // all is given back
      park_thread();
    }
  }
  py::list results;
  for (auto& of_model : outputs) {
    py::list arrays;
    for (OutputTensor& output : of_model) arrays.append(to_array(std::move(output)));
    results.append(arrays);
  }
  return results;
}

}  // namespace

void register_runtime(py::module_& module) {
  py::class_<Runtime>(module, "Runtime", "Models loaded together from one or more files.")
      .def(py::init(
               [](const std::shared_ptr<Library>& library, const std::vector<std::string>& files) {
                 const py::gil_scoped_release free_gil;
                 return std::make_unique<Runtime>(library, files);
               }),
           py::arg("library"), py::arg("files"))
      .def_property_readonly("models",
                             [](const Runtime& runtime) { return runtime.packed().models(); })
      .def_property_readonly("file_descriptions",
                             [](const Runtime& runtime) {
                               py::list texts;
                               for (const auto& text : runtime.packed().file_descriptions()) {
                                 texts.append(to_text(text));
                               }
                               return texts;
                             })
      .def("run", &run, py::arg("requests"), py::arg("timeout") = py::none(),
           "Run (model index, arrays, Scheduling) tuples together; timeout in seconds.");
}

}  // namespace hbm::bindings
