// SPDX-License-Identifier: Apache-2.0
// Computes strides and sizes of tensors in device memory, with every overflow checked.
#include "core/tensors/layout.hpp"

#include <algorithm>

#include "core/board/error.hpp"
#include "core/tensors/data_type.hpp"

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

Layout reported_layout(const TensorInfo& info) {
  return {storage_shape(info.shape, info.data_type), info.strides, storage_unit(info.data_type),
          info.aligned_byte_size};
}

bool is_dynamic(const Layout& layout) { return has_unknown(layout.shape, layout.strides); }

// Bytes from the first to behind the last element; 0 for an empty tensor.
int64_t reach(const Layout& layout, const TensorInfo& info) {
  int64_t bytes = layout.element_size;
  for (std::size_t axis = 0; axis < layout.shape.size(); ++axis) {
    if (layout.shape[axis] == 0) return 0;
    const int64_t step = times(layout.strides[axis], layout.shape[axis] - 1, info);
    if (step < 0 || __builtin_add_overflow(bytes, step, &bytes)) too_large(info);
  }
  return bytes;
}

void check_fits(const Layout& layout, int64_t available, const TensorInfo& info,
                const std::string& model) {
  const int64_t needed = reach(layout, info);
  if (needed <= available) return;
  throw Error(ErrorKind::kModel,
              "model '" + model + "', output '" + info.name + "': the accelerator reports " +
                  std::to_string(available) + " bytes for a tensor that needs " +
                  std::to_string(needed),
              {model, info.name});
}

}  // namespace

bool has_unknown(const Extents& shape, const Extents& strides) {
  return std::count(shape.begin(), shape.end(), -1) > 0 ||
         std::count(strides.begin(), strides.end(), -1) > 0;
}

bool is_dynamic_input(const TensorInfo& info) {
  return info.aligned_byte_size < 0 || has_unknown(info.shape, info.strides);
}

Layout input_layout(const TensorInfo& info, const Extents& shape) {
  Layout layout;
  layout.element_size = storage_unit(info.data_type);
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
  Layout layout = reported_layout(info);
  if (layout.byte_size <= 0) {
    throw Error(ErrorKind::kModel,
                "model '" + model + "', output '" + info.name + "': its size is not known before " +
                    "the run (aligned size " + std::to_string(layout.byte_size) +
                    "), so that no memory can be given to it",
                {model, info.name});
  }
  if (!is_dynamic(layout)) check_fits(layout, layout.byte_size, info, model);
  return layout;
}

Layout finished_layout(const TensorInfo& info, int64_t buffer_size, const std::string& model) {
  Layout layout = reported_layout(info);
  if (is_dynamic(layout)) {
    throw Error(ErrorKind::kTask,
                "model '" + model + "', output '" + info.name +
                    "': the finished task reports no shape for it",
                {model, info.name});
  }
  check_fits(layout, buffer_size, info, model);
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
