// SPDX-License-Identifier: Apache-2.0
// Checks the caller's inputs against a model.
#include "core/run/input_view.hpp"

#include <algorithm>
#include <string>

#include "core/board/error.hpp"
#include "core/tensors/data_type.hpp"

namespace hbm {
namespace {

// Boards refuse inputs at other addresses.
constexpr uintptr_t kAddressAlignment = 32;

// Bytes from the first to behind the last element; none for strides that lead backwards.
std::optional<int64_t> reach(const Extents& shape, const Extents& strides, int64_t element_size) {
  int64_t bytes = element_size;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    int64_t step = 0;
    if (strides[axis] < 0 || __builtin_mul_overflow(shape[axis] - 1, strides[axis], &step) ||
        __builtin_add_overflow(bytes, step, &bytes)) {
      return std::nullopt;
    }
  }
  return bytes;
}

// Dimensions of 1 do not count: numpy gives them any stride.
bool agree(const InputView& view, const Extents& strides) {
  for (std::size_t axis = 0; axis < view.shape.size(); ++axis) {
    if (view.shape[axis] != 1 && view.strides[axis] != strides[axis]) return false;
  }
  return true;
}

// The view's own strides where the model leaves them open, if they suit the accelerator.
std::optional<Extents> dynamic_strides(const TensorInfo& input, const InputView& view) {
  Extents strides = input.strides;
  int64_t inner = storage_unit(input.data_type);
  for (std::size_t axis = strides.size(); axis-- > 0;) {
    if (strides[axis] < 0) {
      const bool innermost = axis + 1 == strides.size();
      const int64_t unit = innermost ? 1 : kPitchAlignment;
      const int64_t least = (inner + unit - 1) / unit * unit;
      strides[axis] = view.shape[axis] == 1 || innermost ? least : view.strides[axis];
      if (strides[axis] < least || strides[axis] % unit != 0) return std::nullopt;
    }
    if (__builtin_mul_overflow(strides[axis], view.shape[axis], &inner) ||
        inner > INT64_MAX - kPitchAlignment) {
      return std::nullopt;
    }
  }
  return strides;
}

}  // namespace

void check_input(const ModelInfo& model, const TensorInfo& input, const InputView& view) {
  // The first words are those of the original package, which people search for.
  const auto refuse = [&](const std::string& what) {
    throw Error(ErrorKind::kInput, what, {model.name, input.name});
  };
  if (view.data_type != input.data_type) {
    refuse("Data type mismatch for input tensor '" + input.name + "' in model '" + model.name +
           "': expected data type " + describe_data_type(input.data_type) + ", got " +
           describe_data_type(view.data_type) + "; convert the array with astype");
  }
  const Extents expected = storage_shape(input.shape, input.data_type);
  bool same = view.shape.size() == expected.size();
  for (std::size_t axis = 0; same && axis < expected.size(); ++axis) {
    const int64_t dim = view.shape[axis];
    same = expected[axis] < 0 ? dim > 0 && dim <= INT32_MAX : dim == expected[axis];
  }
  if (!same) {
    refuse("Mismatch in tensor dimensions for model: " + model.name + ", input: " + input.name +
           ": expected shape " + describe_shape(expected) +
           (std::count(expected.begin(), expected.end(), -1) > 0 ? " (-1: any)" : "") + ", got " +
           describe_shape(view.shape));
  }
}

Extents element_shape(const TensorInfo& input, const Extents& storage) {
  Extents shape = storage;
  if (is_packed(input.data_type)) {
    shape.back() = input.shape.back() > 0 ? input.shape.back() : 2 * storage.back();
  }
  return shape;
}

std::optional<Extents> strides_in_place(const TensorInfo& input, const InputView& view) {
  if (!view.device || view.other_byte_order) return std::nullopt;
  if (reinterpret_cast<uintptr_t>(view.data) % kAddressAlignment != 0) return std::nullopt;
  const int64_t element = storage_unit(input.data_type);
  std::optional<Extents> strides;
  int64_t least = 0;
  if (is_dynamic_input(input)) {
    strides = dynamic_strides(input, view);
  } else if (agree(view, input.strides)) {
    strides = input.strides;
    least = input.aligned_byte_size;
  } else {
    strides = dense_strides(view.shape, element);
  }
  if (!strides || !agree(view, *strides)) return std::nullopt;
  const std::optional<int64_t> bytes = reach(view.shape, *strides, element);
  const int64_t offset = view.data - view.device->data();
  const int64_t left = view.device->size() - offset;
  if (!bytes || offset < 0 || left < std::max(*bytes, least)) return std::nullopt;
  return strides;
}

}  // namespace hbm
