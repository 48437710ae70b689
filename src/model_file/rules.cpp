// SPDX-License-Identifier: Apache-2.0
// Checks layouts, quantisation and function calls; no product can overflow.
#include "model_file/rules.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

#include "abi/data_types.hpp"
#include "model_file/format.hpp"

namespace hbm::simulator {
namespace {

template <typename... Parts>
std::string text_of(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  return text.str();
}

int64_t product(int64_t a, int64_t b) {
  int64_t result = 0;
  return __builtin_mul_overflow(a, b, &result) ? std::numeric_limits<int64_t>::max() : result;
}

bool has_open(const std::vector<int64_t>& numbers) {
  return std::find(numbers.begin(), numbers.end(), -1) != numbers.end();
}

std::string list_of(const std::vector<int64_t>& numbers) {
  std::string text;
  for (const int64_t number : numbers) text += (text.empty() ? "" : ", ") + std::to_string(number);
  return "[" + text + "]";
}

void check_layout(const TensorSpec& tensor, const Refuse& refuse) {
  const std::vector<int64_t>& shape = tensor.shape;
  const std::vector<int64_t>& strides = tensor.strides;
  for (const int64_t dim : shape) {
    if (dim != -1 && dim < 1)
      refuse("shape", list_of(shape) + ": each must be -1 or 1..2147483647");
  }
  if (is_packed(tensor.data_type) && shape.back() % 2 != 0 &&
      std::any_of(shape.begin(), shape.end() - 1, [](int64_t dim) { return dim != 1; })) {
    refuse("shape",
           list_of(shape) + ": the last of a 4-bit tensor must be even unless all others are 1");
  }
  for (const int64_t stride : strides) {
    if (stride != -1 && (stride < 1 || stride > kMaxTensorSize)) {
      refuse("strides", text_of(list_of(strides), ": each must be -1 or 1..", kMaxTensorSize));
    }
  }
  const int64_t unit = storage_unit(tensor.data_type);
  if (strides.back() < unit) {
    refuse("strides", text_of("the last is ", strides.back(), ", below ", unit, " bytes"));
  }
  const Extents units = storage_shape(Extents(shape), tensor.data_type);
  for (std::size_t axis = 0; axis + 1 < units.size(); ++axis) {
    if (strides[axis] == -1 || strides[axis + 1] == -1 || units[axis + 1] == -1) continue;
    const int64_t inside = product(units[axis + 1], strides[axis + 1]);
    if (strides[axis] < inside) {
      refuse("strides", text_of(list_of(strides), ": ", strides[axis], " of axis ", axis,
                                " is below the ", inside, " inside it"));
    }
  }
}

// The caller knows how large a dynamic input is; of an output the file says the most.
void check_size(const TensorSpec& tensor, bool is_input, const Refuse& refuse) {
  const int64_t size = tensor.aligned_byte_size;
  const bool is_dynamic = has_open(tensor.shape) || has_open(tensor.strides);
  if (is_input && is_dynamic != (size == -1)) {
    refuse("aligned_byte_size",
           text_of("is ", size,
                   ", but an input's must be -1 exactly when its shape or strides have -1"));
  }
  if (is_input && is_dynamic) return;
  const Extents units = storage_shape(Extents(tensor.shape), tensor.data_type);
  const int64_t least = is_dynamic ? 1 : product(units[0], tensor.strides[0]);
  if (size < least || size > kMaxTensorSize) {
    refuse("aligned_byte_size", text_of(size, " is outside ", least, "..", kMaxTensorSize));
  }
}

void check_quantization(const TensorSpec& tensor, const Refuse& refuse) {
  const int64_t axis = tensor.quantize_axis;
  const auto rank = static_cast<int64_t>(tensor.shape.size());
  const auto scales = static_cast<int64_t>(tensor.scales.size());
  const auto zero_points = static_cast<int64_t>(tensor.zero_points.size());
  if (tensor.quanti_type == HB_DNN_QUANTI_NONE) {
    if (axis != 0 || scales != 0 || zero_points != 0) {
      refuse("quanti_type", "none, yet there is an axis, scale or zero point");
    }
    return;
  }
  if (axis < -1 || axis >= rank) {
    refuse("quantize_axis", text_of(axis, " is outside -1..", rank - 1));
  }
  const int64_t expected = axis == -1 ? 1 : tensor.shape[static_cast<std::size_t>(axis)];
  if (scales != expected) refuse("scale_count", text_of(scales, ", expected ", expected));
  for (const float scale : tensor.scales) {
    if (!std::isfinite(scale) || scale <= 0) {
      refuse("scale", "each must be finite and above 0 as float32");
    }
  }
  if (zero_points != 0 && zero_points != expected) {
    refuse("zero_point_count", text_of(zero_points, ", expected 0 or ", expected));
  }
}

}  // namespace

std::string outside(uint64_t number, uint64_t low, uint64_t high) {
  return text_of(number, " is outside ", low, "..", high);
}

void check_tensor(const TensorSpec& tensor, bool is_input, const Refuse& refuse) {
  check_layout(tensor, refuse);
  check_quantization(tensor, refuse);
  check_size(tensor, is_input, refuse);
  if (!is_input && has_open(tensor.strides) && !has_open(tensor.shape)) {
    refuse("strides", list_of(tensor.strides) + ": an output with a fixed shape has fixed strides");
  }
}

void check_calls(const ModelSpec& model, const Refuse& refuse) {
  if (model.max_time_per_fc_us == 0 && model.calls.size() > 1) {
    refuse("call_count",
           text_of(model.calls.size(), " calls, but without max_time_per_fc_us there is one"));
  }
  uint64_t latency_us = 0;
  for (std::size_t index = 0; index < model.calls.size(); ++index) {
    const uint64_t of_call = model.calls[index].latency_us;
    if (of_call > kMaxLatencyUs) {
      refuse(text_of("calls[", index, "].latency_us"), outside(of_call, 0, kMaxLatencyUs));
    }
    latency_us += of_call;
  }
  if (latency_us > kMaxLatencyUs) refuse("latency_us", outside(latency_us, 0, kMaxLatencyUs));
  if (std::all_of(model.calls.begin(), model.calls.end(),
                  [](const CallSpec& call) { return call.size == 0; })) {
    refuse("calls", "none of them has a graph");
  }
}

}  // namespace hbm::simulator
