// SPDX-License-Identifier: Apache-2.0
// How the earlier generation ran a model: memory, a thread and STL maps anew in each call.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/board/library.hpp"
#include "core/run/loaded_model.hpp"

namespace py = pybind11;

namespace {

using hbm::Library;
using hbm::ModelInfo;
using Arrays = std::unordered_map<std::string, py::array>;

void check(int32_t status, const char* call) {
  if (status != 0) throw std::runtime_error(std::string(call) + ": " + std::to_string(status));
}

// Device memory that is freed with its owner.
class Buffer {
 public:
  Buffer(std::shared_ptr<const Library> library, int64_t size) : library_(std::move(library)) {
    check(library_->hbUCPMallocCached(&memory_, static_cast<uint64_t>(size), 0), "malloc");
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { library_->hbUCPFree(&memory_); }
  [[nodiscard]] const hbUCPSysMem& memory() const noexcept { return memory_; }

 private:
  std::shared_ptr<const Library> library_;
  hbUCPSysMem memory_{};
};

// Float models of static, dense tensors only: those of the null backend.
class EarlierRuntime {
 public:
  EarlierRuntime(const std::string& folder, const std::string& file)
      : library_(Library::open(folder)), packed_(library_, {file}) {}

  // The GIL is held throughout, as it was.
  [[nodiscard]] std::unordered_map<std::string, Arrays> run(const Arrays& arrays) const {
    const ModelInfo& model = packed_.models().front();
    std::vector<std::unique_ptr<Buffer>> input_buffers;
    std::vector<hbDNNTensor> inputs;
    for (const hbm::TensorInfo& info : model.inputs) {
      const py::array& array = arrays.at(info.name);
      if (array.dtype().char_() != 'f' || array.nbytes() != info.aligned_byte_size) {
        throw std::invalid_argument("input '" + info.name + "' does not fit");
      }
      auto buffer = std::make_unique<Buffer>(library_, info.aligned_byte_size);
      std::memcpy(buffer->memory().virAddr, array.data(), static_cast<std::size_t>(array.nbytes()));
      check(library_->hbUCPMemFlush(&buffer->memory(), HB_SYS_MEM_CACHE_CLEAN), "flush");
      inputs.push_back({buffer->memory(), info.properties});
      input_buffers.push_back(std::move(buffer));
    }
    std::vector<std::unique_ptr<Buffer>> output_buffers;
    std::vector<hbDNNTensor> outputs;
    for (const hbm::TensorInfo& info : model.outputs) {
      output_buffers.push_back(std::make_unique<Buffer>(library_, info.aligned_byte_size));
      outputs.push_back({output_buffers.back()->memory(), info.properties});
    }
    std::string failure;
    std::thread([&] { failure = execute(model, inputs, outputs); }).join();
    if (!failure.empty()) throw std::runtime_error(failure);
    std::unordered_map<std::string, Arrays> results;
    for (std::size_t index = 0; index < outputs.size(); ++index) {
      results[model.name][model.outputs[index].name] =
          to_array(std::move(output_buffers[index]), outputs[index].properties);
    }
    return results;
  }

 private:
  [[nodiscard]] std::string execute(const ModelInfo& model, const std::vector<hbDNNTensor>& inputs,
                                    std::vector<hbDNNTensor>& outputs) const {
    hbUCPTaskHandle_t task = nullptr;
    if (library_->hbDNNInferV2(&task, outputs.data(), inputs.data(), model.handle) != 0) {
      return "the task could not be made";
    }
    hbUCPSchedParam param{0, 0, HB_UCP_BPU_CORE_ANY, 0};
    int32_t status = library_->hbUCPSubmitTask(task, &param);
    if (status == 0) status = library_->hbUCPWaitTaskDone(task, 0);
    for (std::size_t index = 0; status == 0 && index < outputs.size(); ++index) {
      status = library_->hbUCPMemFlush(&outputs[index].sysMem, HB_SYS_MEM_CACHE_INVALIDATE);
      if (status != 0) break;
      status = library_->hbDNNGetTaskOutputTensorProperties(&outputs[index].properties, task, 0,
                                                            static_cast<int32_t>(index));
    }
    library_->hbUCPReleaseTask(task);
    return status == 0 ? "" : "the task failed";
  }

  [[nodiscard]] static py::array to_array(std::unique_ptr<Buffer> buffer,
                                          const hbDNNTensorProperties& properties) {
    const auto rank = static_cast<std::size_t>(properties.validShape.numDimensions);
    const std::vector<py::ssize_t> shape(properties.validShape.dimensionSize,
                                         properties.validShape.dimensionSize + rank);
    const std::vector<py::ssize_t> strides(properties.stride, properties.stride + rank);
    const void* const data = buffer->memory().virAddr;
    const py::capsule keeper(buffer.get(), [](void* pointer) {
      const std::unique_ptr<Buffer> last(static_cast<Buffer*>(pointer));
    });
    static_cast<void>(buffer.release());  // the capsule's now
    return py::array(py::dtype("float32"), shape, strides, data, keeper);
  }

  std::shared_ptr<const Library> library_;
  hbm::PackedModels packed_;
};

}  // namespace

PYBIND11_MODULE(_earlier_way, module) {
  py::class_<EarlierRuntime>(module, "EarlierRuntime")
      .def(py::init<const std::string&, const std::string&>())
      .def("run", &EarlierRuntime::run);
}
