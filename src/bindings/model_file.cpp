// SPDX-License-Identifier: Apache-2.0
// Binds the reader of model files: it returns the classes of hbm_runtime.model_file.
#include "model_file/model_file.hpp"

#include <pybind11/stl.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <system_error>
#include <vector>

#include "bindings.hpp"
#include "model_file/format.hpp"
#include "waiting.hpp"

namespace py = pybind11;

namespace hbm::bindings {
namespace {

using namespace pybind11::literals;
using simulator::CallSpec;
using simulator::ModelFile;
using simulator::ModelFileError;
using simulator::ModelSpec;
using simulator::TensorSpec;

py::object spec_class(const char* name) {
  return py::module_::import("hbm_runtime.model_file.spec").attr(name);
}

// A regular file that is read without the GIL; graphs become objects of Python at once.
class OpenFile final : public simulator::FileBytes {
 public:
  // The descriptor stays the caller's.
  OpenFile(int descriptor, bool keeps_graphs)
      : descriptor_(descriptor), keeps_graphs_(keeps_graphs) {
    const off_t end = ::lseek(descriptor, 0, SEEK_END);
    if (end < 0) throw_errno();
    size_ = static_cast<uint64_t>(end);
  }

  [[nodiscard]] uint64_t size() const override { return size_; }

  [[nodiscard]] const std::byte* read(uint64_t offset, std::size_t count) override {
    if (buffer_.size() < count) buffer_.resize(count);
    fill(buffer_.data(), offset, count);
    return buffer_.data();
  }

  [[nodiscard]] const std::byte* read_graph(uint64_t offset, std::size_t count) override {
    look_up(fork_guard_);
    if (!keeps_graphs_) return read(offset, count);
    auto* bytes = reinterpret_cast<std::byte*>(new_graph(count));
    fill(bytes, offset, count);
    return bytes;
  }

  // The graphs that were read, in their order; with the GIL.
  [[nodiscard]] const std::vector<py::bytes>& graphs() const { return graphs_; }

 private:
  [[noreturn]] static void throw_errno() {
    throw std::system_error(errno, std::generic_category());
  }

  char* new_graph(std::size_t size) {
    const py::gil_scoped_acquire gil;
    PyObject* made = PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(size));
    if (made == nullptr) throw py::error_already_set();
    graphs_.push_back(py::reinterpret_steal<py::bytes>(made));
    return PyBytes_AS_STRING(made);
  }

  void fill(std::byte* target, uint64_t offset, std::size_t count) const {
    while (count > 0) {
      const ssize_t got = ::pread(descriptor_, target, count, static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw_errno();
      if (got == 0) {
        throw ModelFileError("is truncated: it ended while it was read; copy or pack it again",
                             "truncated");
      }
      target += got;
      offset += static_cast<uint64_t>(got);
      count -= static_cast<std::size_t>(got);
    }
  }

  const ForkGuard fork_guard_;
  int descriptor_;
  bool keeps_graphs_;
  uint64_t size_ = 0;
  std::vector<std::byte> buffer_;
  std::vector<py::bytes> graphs_;
};

[[noreturn]] void raise(const ModelFileError& error, const std::string& name) {
  const py::object type = spec_class("ModelFileError");
  const std::string text = name + (error.offset ? ": " : " ") + error.what();
  PyErr_SetObject(type.ptr(), type(to_text(text), "reason"_a = error.reason,
                                   "field"_a = error.field, "offset"_a = error.offset)
                                  .ptr());
  throw py::error_already_set();
}

py::tuple tensors_of(const std::vector<TensorSpec>& tensors) {
  const py::object type = spec_class("TensorSpec");
  py::tuple made(tensors.size());
  for (std::size_t index = 0; index < tensors.size(); ++index) {
    const TensorSpec& tensor = tensors[index];
    made[index] = type(to_text(tensor.name), tensor.data_type, tensor.shape, tensor.strides,
                       tensor.aligned_byte_size, to_text(tensor.description), tensor.quanti_type,
                       tensor.quantize_axis, tensor.scales, tensor.zero_points);
  }
  return made;
}

py::object content_of(const ModelFile& file, const std::vector<py::bytes>& graphs) {
  const py::object call_type = spec_class("CallSpec");
  const py::object model_type = spec_class("ModelSpec");
  auto graph = graphs.begin();
  py::list models;
  for (const ModelSpec& model : file.models) {
    py::list calls;
    for (const CallSpec& call : model.calls) {
      calls.append(call_type(call.size > 0 ? *graph++ : py::bytes(), call.latency_us));
    }
    models.append(model_type(to_text(model.name), "inputs"_a = tensors_of(model.inputs),
                             "outputs"_a = tensors_of(model.outputs),
                             "description"_a = to_text(model.description),
                             "core_count"_a = model.core_count,
                             "max_time_per_fc_us"_a = model.max_time_per_fc_us, "calls"_a = calls));
  }
  return spec_class("ModelFile")(models, to_text(file.description), to_text(file.march));
}

}  // namespace

void register_model_file(py::module_& module) {
  module.attr("MODEL_FILE_MAGIC") =
      py::bytes(reinterpret_cast<const char*>(simulator::kMagic.data()), simulator::kMagic.size());
  module.attr("MODEL_FILE_VERSION") = simulator::kFormatVersion;
  module.attr("MODEL_FILE_MAX_METADATA_SIZE") = simulator::kMaxMetadataSize;
  module.attr("MODEL_FILE_MAX_NAME_SIZE") = simulator::kMaxNameSize;
  module.attr("MODEL_FILE_MAX_DESCRIPTION_SIZE") = simulator::kMaxDescriptionSize;
  module.attr("MODEL_FILE_MAX_CALLS") = simulator::kMaxCalls;
  module.attr("MODEL_FILE_MAX_LATENCY_US") = simulator::kMaxLatencyUs;
  module.def(
      "read_model_file",
      [](int descriptor, const std::string& name, bool keep_graphs) -> py::object {
        try {
          OpenFile open(descriptor, keep_graphs);
          const ModelFile file = without_gil(
              std::nullopt, [&open](const Deadline&) { return simulator::read_model_file(open); });
          return keep_graphs ? content_of(file, open.graphs()) : py::none();
        } catch (const ModelFileError& error) {
          raise(error, name);
        } catch (const std::system_error& error) {
          errno = error.code().value();
          PyErr_SetFromErrno(PyExc_OSError);
          throw py::error_already_set();
        }
      },
      py::arg("descriptor"), py::arg("name"), py::arg("keep_graphs"),
      "Return the ModelFile in an open file, or None without `keep_graphs`.");
}

}  // namespace hbm::bindings
