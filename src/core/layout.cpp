// SPDX-License-Identifier: Apache-2.0
// Computes strides and sizes of tensors in device memory, with every overflow checked.
#include "layout.hpp"

#include "data_type.hpp"
#include "error.hpp"

namespace hbm {
namespace {

[[noreturn]] void too_large(const TensorInfo& info) {
  throw Error(ErrorKind::kInput, "tensor '" + info.name + "' is too large for 64 bits",
              {{}, info.name});
}

int64_t times(int64_t a, int64_t b, const TensorInfo& info) {
  int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) too_large(info);
  return product;
}

int64_t round_up(int64_t value, int64_t unit, const TensorInfo& info) {
  int64_t raised = 0;
  if (__builtin_add_overflow(value, unit - 1, &raised)) too_large(info);
  return raised / unit * unit;
}

}  // namespace

Extents storage_shape(const Extents& shape, int32_t data_type) {
  Extents units = shape;
  if (data_type_row(data_type).bits == 4 && !units.empty() && units.back() > 0) {
    units.back() = (units.back() + 1) / 2;
  }
  return units;
}

Layout input_layout(const TensorInfo& info, const Extents& shape) {
  Layout layout;
  layout.element_size = element_size(info.data_type);
  layout.shape = storage_shape(shape, info.data_type);
  layout.strides = info.strides;
  bool dynamic = info.aligned_byte_size < 0;
  int64_t inner = layout.element_size;
  for (std::size_t axis = layout.shape.size(); axis-- > 0;) {
    if (layout.strides[axis] < 0) {
      dynamic = true;
      // Only the innermost stride may stay unaligned: it is the element's own size.
      const bool innermost = axis + 1 == layout.shape.size();
      layout.strides[axis] = innermost ? inner : round_up(inner, kPitchAlignment, info);
    }
    inner = times(layout.strides[axis], layout.shape[axis], info);
  }
  layout.byte_size = dynamic ? inner : info.aligned_byte_size;
  return layout;
}

Layout output_layout(const TensorInfo& info, const std::string& model) {
  Layout layout;
  layout.element_size = element_size(info.data_type);
  layout.shape = storage_shape(info.shape, info.data_type);
  layout.strides = info.strides;
  layout.byte_size = info.aligned_byte_size;
  int64_t reach = layout.element_size;
  for (std::size_t axis = 0; axis < layout.shape.size(); ++axis) {
    if (layout.shape[axis] < 0 || layout.strides[axis] < 0) {
      // Known only after the run; until then the aligned size is what to allocate.
      reach = 0;
      break;
    }
    const int64_t steps = layout.shape[axis] > 0 ? layout.shape[axis] - 1 : 0;
    int64_t sum = 0;
    if (__builtin_add_overflow(reach, times(layout.strides[axis], steps, info), &sum)) {
      too_large(info);
    }
    reach = sum;
  }
  if (layout.byte_size <= 0 || reach > layout.byte_size) {
    throw Error(ErrorKind::kModel,
                "model '" + model + "', output '" + info.name + "': the accelerator reports " +
                    std::to_string(layout.byte_size) + " bytes for a tensor that needs " +
                    std::to_string(reach),
                {model, info.name});
  }
  return layout;
}

std::string describe_shape(const Extents& shape) {
  std::string text = "[";
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    text += (axis > 0 ? ", " : "") + std::to_string(shape[axis]);
  }
  return text + "]";
}

}  // namespace hbm
