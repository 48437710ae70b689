// SPDX-License-Identifier: Apache-2.0
// Checks shapes, strides and addresses of tensors, and moves their bytes.
#include "simulator/models/region.hpp"

#include <algorithm>
#include <vector>

#include "abi/data_types.hpp"
#include "simulator/device/device_interface.hpp"
#include "simulator/watching/log.hpp"

namespace hbm::simulator {
namespace {

// Bytes from the first to behind the last element; -1 when that does not fit 64 bits.
int64_t reach(const Region& region) {
  int64_t bytes = region.unit;
  for (std::size_t index = 0; index < region.shape.size(); ++index) {
    int64_t step = 0;
    if (__builtin_mul_overflow(region.shape[index] - 1, region.strides[index], &step) ||
        __builtin_add_overflow(bytes, step, &bytes)) {
      return -1;
    }
  }
  return bytes;
}

int32_t refuse(const char* side, const TensorSpec& spec, const char* why) {
  log(LogLevel::kError, "hbDNNInferV2: %s '%s': %s", side, spec.name.c_str(), why);
  return HB_UCP_INVALID_ARGUMENT;
}

int32_t find_device_side(const char* side, const TensorSpec& spec, const hbDNNTensor& tensor,
                         Region& region) {
  region.data = hbSimDevice()->device_side(tensor.sysMem);
  if (region.data != nullptr) return HB_UCP_SUCCESS;
  return refuse(side, spec,
                "phyAddr names another place than virAddr, and the device reads and writes there: "
                "add the same offset to both");
}

// What is wrong with the strides of an input that leaves some to the caller; null: nothing.
const char* problem_of_dynamic_strides(const TensorSpec& spec, const Region& region) {
  const std::size_t rank = spec.shape.size();
  const int64_t pitch = hbSimDevice()->profile().chip.pitch_alignment;
  for (std::size_t axis = rank; axis-- > 0;) {
    const int64_t stride = region.strides[axis];
    const int64_t inner =
        axis + 1 < rank ? region.strides[axis + 1] * region.shape[axis + 1] : region.unit;
    if (spec.strides[axis] != -1) {
      if (stride != spec.strides[axis]) return "a fixed stride differs from the model's";
    } else if (stride < inner || stride > INT32_MAX) {
      return "a stride is not filled in or smaller than what it steps over";
    } else if (stride % pitch != 0) {
      return pitch == 32 ? "a stride is not a multiple of 32, the pitch alignment of this chip"
                         : "a stride is not a multiple of 64, the pitch alignment of this chip";
    }
  }
  return nullptr;
}

}  // namespace

bool Region::is_open() const noexcept {
  return std::find(shape.begin(), shape.end(), -1) != shape.end();
}

bool Region::is_dense() const noexcept { return hbm::is_dense(shape, strides, unit); }

std::size_t Region::dense_size() const noexcept {
  int64_t size = unit;
  for (const int64_t dim : shape) size *= dim;
  return static_cast<std::size_t>(size);
}

void Region::gather(std::byte* dense) const {
  strided_copy(dense, dense_strides(shape, unit), data, strides, shape, unit);
}

void Region::scatter(const std::byte* dense) const {
  strided_copy(data, strides, dense, dense_strides(shape, unit), shape, unit);
}

bool Region::is_stale() const {
  if (of_cpu == data) return false;
  Region seen = *this;
  seen.data = of_cpu;
  std::vector<std::byte> ours(dense_size());
  std::vector<std::byte> theirs(dense_size());
  seen.gather(ours.data());
  gather(theirs.data());
  return ours != theirs;
}

int32_t check_input(const TensorSpec& spec, const hbDNNTensor& tensor, Region& region) {
  const hbDNNTensorProperties& given = tensor.properties;
  const std::size_t rank = spec.shape.size();
  if (given.validShape.numDimensions != static_cast<int32_t>(rank)) {
    return refuse("input", spec, "the number of dimensions differs from the model's");
  }
  if (given.tensorType != static_cast<int32_t>(spec.data_type)) {
    return refuse("input", spec, "the data type differs from the model's");
  }
  region.data_type = spec.data_type;
  region.unit = storage_unit(spec.data_type);
  region.of_cpu = static_cast<std::byte*>(tensor.sysMem.virAddr);
  region.elements.assign(given.validShape.dimensionSize, given.validShape.dimensionSize + rank);
  region.strides.assign(given.stride, given.stride + rank);
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const int64_t dim = region.elements[axis];
    if (spec.shape[axis] == -1 ? dim < 1 : dim != spec.shape[axis]) {
      return refuse("input", spec, "a dimension is not filled in or differs from the model's");
    }
  }
  region.shape = storage_shape(region.elements, spec.data_type);
  const bool dynamic =
      std::find(spec.strides.begin(), spec.strides.end(), -1) != spec.strides.end();
  if (dynamic) {
    const char* problem = problem_of_dynamic_strides(spec, region);
    if (problem != nullptr) return refuse("input", spec, problem);
  } else if (region.strides != spec.strides && !region.is_dense()) {
    return refuse("input", spec, "the strides are neither the model's nor dense");
  }
  const auto alignment = static_cast<uintptr_t>(hbSimDevice()->profile().base_alignment);
  if (region.of_cpu == nullptr || reinterpret_cast<uintptr_t>(region.of_cpu) % alignment != 0) {
    return refuse("input", spec,
                  alignment == 32 ? "the address is null or not aligned to 32 bytes"
                                  : "the address is null or not aligned to 64 bytes");
  }
  const int64_t bytes = reach(region);
  if (bytes < 0 || !hbSimDevice()->owns(region.of_cpu, static_cast<uint64_t>(bytes))) {
    return refuse("input", spec, "it does not lie inside one block of device memory");
  }
  return find_device_side("input", spec, tensor, region);
}

int32_t check_output(const TensorSpec& spec, const hbDNNTensor& tensor, Region& region) {
  region.data_type = spec.data_type;
  region.unit = storage_unit(spec.data_type);
  region.of_cpu = static_cast<std::byte*>(tensor.sysMem.virAddr);
  region.elements.assign(spec.shape.begin(), spec.shape.end());
  region.shape = storage_shape(region.elements, spec.data_type);
  region.strides = spec.strides;
  const auto least = static_cast<uint64_t>(std::max<int64_t>(spec.aligned_byte_size, 1));
  if (region.of_cpu == nullptr || !hbSimDevice()->owns(region.of_cpu, least)) {
    return refuse("output", spec, "its aligned size does not fit one block of device memory");
  }
  return find_device_side("output", spec, tensor, region);
}

}  // namespace hbm::simulator
