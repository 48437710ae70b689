// SPDX-License-Identifier: Apache-2.0
// Checks quantisation parameters and walks both arrays row by row, in rows as long as possible.
#include "core/tensors/quantization.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "core/board/error.hpp"
#include "core/tensors/data_type.hpp"
#include "core/tensors/layout.hpp"
#include "core/tensors/quantization_rows.hpp"

namespace hbm {
namespace {

// Short periods of scales are repeated to about this many elements, for long rows.
constexpr int64_t kRepeatedScales = 256;
// 4-bit elements are unpacked in pieces of this many; even.
constexpr int64_t kPiece = 512;
// Below it the difference to any 16-bit value is exact in float.
constexpr int64_t kNarrowZeroPoint = int64_t{1} << 23;

struct Dimension {
  int64_t count = 0;
  int64_t from_stride = 0;  // bytes
  int64_t to_stride = 0;    // bytes
  bool has_scales = false;  // the axis of per-axis scales
};

// Scales and zero points in the types to compute in; at least one of each.
struct Scales {
  std::vector<double> scales;
  std::vector<double> zero_points;
  std::vector<float> narrow_scales;
  std::vector<float> narrow_zero_points;
  bool narrow = true;  // see RowTable
};

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorKind::kInput, message); }

// The axis of per-axis scales; -1 for one scale.
int64_t scale_axis(const Quantization& quantization, const Extents& shape) {
  const auto scales = static_cast<int64_t>(quantization.scales.size());
  const auto zero_points = static_cast<int64_t>(quantization.zero_points.size());
  if (scales == 0) refuse("quantisation by scales without a scale: expected 1 or one per channel");
  if (zero_points > 1 && zero_points != scales) {
    refuse("quantisation with " + std::to_string(scales) + " scales has " +
           std::to_string(zero_points) + " zero points; expected 0, 1 or as many as scales");
  }
  if (scales == 1) return -1;
  const auto rank = static_cast<int64_t>(shape.size());
  const int64_t axis = quantization.axis;
  if (axis < 0 || axis >= rank) {
    refuse("quantisation with " + std::to_string(scales) + " scales along axis " +
           std::to_string(axis) + ", but an array of shape " + describe_shape(shape) +
           " has axes 0 to " + std::to_string(rank - 1));
  }
  const int64_t channels = shape[static_cast<std::size_t>(axis)];
  if (channels != scales) {
    refuse("quantisation with " + std::to_string(scales) + " scales along axis " +
           std::to_string(axis) + ", where an array of shape " + describe_shape(shape) + " has " +
           std::to_string(channels) + " elements");
  }
  return axis;
}

Scales make_scales(const Quantization& quantization) {
  Scales made;
  if (quantization.type != HB_DNN_QUANTI_SCALE) {
    made.scales = {1.0};
    made.zero_points = {0.0};
  } else {
    made.scales.assign(quantization.scales.begin(), quantization.scales.end());
    made.zero_points.assign(made.scales.size(), 0.0);
    for (std::size_t index = 0; index < made.scales.size(); ++index) {
      if (quantization.zero_points.empty()) break;
      const std::size_t last = quantization.zero_points.size() - 1;
      made.zero_points[index] = quantization.zero_points[std::min(index, last)];
    }
  }
  return made;
}

// Outermost first; without dimensions of one element. `keep_last`: the last one stays the innermost
// and alone, as it must where its elements share bytes.
std::vector<Dimension> plan(const Extents& shape, const Extents& from, const Extents& to,
                            int64_t axis_of_scales, bool keep_last) {
  std::vector<Dimension> dimensions;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] == 1 && !(keep_last && axis + 1 == shape.size())) continue;
    dimensions.push_back(
        {shape[axis], from[axis], to[axis], static_cast<int64_t>(axis) == axis_of_scales});
  }
  const auto movable = dimensions.end() - (keep_last && !dimensions.empty() ? 1 : 0);
  std::stable_sort(dimensions.begin(), movable, [](const Dimension& a, const Dimension& b) {
    return std::abs(a.to_stride) > std::abs(b.to_stride);
  });
  std::vector<Dimension> merged;
  for (const Dimension& inner : dimensions) {
    const bool last = keep_last && &inner == &dimensions.back();
    if (!merged.empty() && !last && !inner.has_scales && !merged.back().has_scales &&
        merged.back().from_stride == inner.from_stride * inner.count &&
        merged.back().to_stride == inner.to_stride * inner.count) {
      merged.back() = {merged.back().count * inner.count, inner.from_stride, inner.to_stride,
                       false};
    } else {
      merged.push_back(inner);
    }
  }
  if (merged.empty()) merged.push_back({1, 0, 0, false});  // one element
  return merged;
}

// Makes long rows of short ones that follow each other without a gap, by repeating their scales:
// channels last, few channels.
void join_short_rows(std::vector<Dimension>& dimensions, Scales& scales) {
  if (dimensions.size() < 2) return;
  const Dimension inner = dimensions.back();
  const Dimension outer = dimensions[dimensions.size() - 2];
  if (!inner.has_scales || inner.count >= kRepeatedScales ||
      outer.from_stride != inner.from_stride * inner.count ||
      outer.to_stride != inner.to_stride * inner.count) {
    return;
  }
  const auto period = static_cast<std::size_t>(inner.count);
  const std::size_t length =
      period * static_cast<std::size_t>(
                   std::min(kRepeatedScales / inner.count, std::max<int64_t>(outer.count, 1)));
  scales.scales.reserve(length);
  scales.zero_points.reserve(length);
  while (scales.scales.size() < length) {
    scales.scales.push_back(scales.scales[scales.scales.size() - period]);
    scales.zero_points.push_back(scales.zero_points[scales.zero_points.size() - period]);
  }
  dimensions.pop_back();
  dimensions.back() = {outer.count * inner.count, inner.from_stride, inner.to_stride, true};
}

void narrow(Scales& scales) {
  scales.narrow_scales.reserve(scales.scales.size());
  scales.narrow_zero_points.reserve(scales.scales.size());
  for (std::size_t index = 0; index < scales.scales.size(); ++index) {
    scales.narrow_scales.push_back(static_cast<float>(scales.scales[index]));  // came from floats
    scales.narrow_zero_points.push_back(static_cast<float>(scales.zero_points[index]));
    scales.narrow = scales.narrow && std::abs(scales.zero_points[index]) <= kNarrowZeroPoint;
  }
}

// Calls the row function on the innermost dimension, in pieces where its scales or its packed
// elements want that.
class Line {
 public:
  Line(const RowFunctions& functions, const Scales& scales, const Dimension& inner,
       int32_t stored_type, bool quantizes)
      : scales_(scales),
        inner_(inner),
        function_(inner.has_scales ? functions.each_scale : functions.one_scale),
        stored_type_(stored_type),
        quantizes_(quantizes) {
    if (!is_packed(stored_type)) {
      longest_ = inner.has_scales ? static_cast<int64_t>(scales.scales.size()) : inner.count;
    }
    set_range();
  }

  // Once for each row; `outer` holds pitches and number of rows.
  void run(const std::byte* from, std::byte* to, std::size_t scale, const Dimension& outer) {
    rows_.rows = outer.count;
    rows_.from_pitch = outer.from_stride;
    rows_.to_pitch = outer.to_stride;
    if (!is_packed(stored_type_)) {
      for (int64_t start = 0; start < inner_.count; start += longest_) {
        rows_.from = from + start * inner_.from_stride;
        rows_.to = to + start * inner_.to_stride;
        call(std::min(longest_, inner_.count - start), scale, inner_.from_stride, inner_.to_stride);
      }
      return;
    }
    for (int64_t start = 0; start < inner_.count; start += kPiece) {
      const int64_t count = std::min(kPiece, inner_.count - start);
      const std::size_t first = inner_.has_scales ? static_cast<std::size_t>(start) : scale;
      if (quantizes_) {
        rows_.from = from + start * inner_.from_stride;
        rows_.to = unpacked_.data();
        call(count, first, inner_.from_stride, 1);
        pack(to + start / 2 * inner_.to_stride, count);
      } else {
        unpack(from + start / 2 * inner_.from_stride, count);
        rows_.from = unpacked_.data();
        rows_.to = to + start * inner_.to_stride;
        call(count, first, 1, inner_.to_stride);
      }
    }
  }

 private:
  void set_range() {
    const int bits = data_type_row(stored_type_).bits;
    const bool is_signed = data_type_row(stored_type_).name[0] == 'S';
    rows_.lowest = is_signed ? -std::ldexp(1.0, bits - 1) : 0.0;
    rows_.highest = std::ldexp(1.0, is_signed ? bits - 1 : bits) - 1.0;
  }

  void call(int64_t count, std::size_t scale, int64_t from_step, int64_t to_step) {
    rows_.from_step = from_step;
    rows_.to_step = to_step;
    rows_.count = count;
    rows_.scales = scales_.scales.data() + scale;
    rows_.zero_points = scales_.zero_points.data() + scale;
    rows_.narrow_scales = scales_.narrow_scales.data() + scale;
    rows_.narrow_zero_points = scales_.narrow_zero_points.data() + scale;
    function_(rows_);
  }

  // The first of two elements is in the low half of a byte.
  void unpack(const std::byte* from, int64_t count) {
    const bool is_signed = stored_type_ == HB_DNN_TENSOR_TYPE_S4;
    // Flipping a nibble's sign bit and subtracting that bit extends the sign.
    const int flip = is_signed ? 8 : 0;
    for (int64_t index = 0; index < (count + 1) / 2; ++index) {
      const int both = std::to_integer<int>(from[index * inner_.from_stride]);
      const auto at = static_cast<std::size_t>(2 * index);
      unpacked_[at] = static_cast<std::byte>(((both & 15) ^ flip) - flip);
      unpacked_[at + 1] = static_cast<std::byte>(((both >> 4) ^ flip) - flip);
    }
  }

  void pack(std::byte* to, int64_t count) {
    if (count % 2 != 0) unpacked_[static_cast<std::size_t>(count)] = std::byte{0};
    for (int64_t index = 0; index < (count + 1) / 2; ++index) {
      const auto at = static_cast<std::size_t>(2 * index);
      to[index * inner_.to_stride] = (unpacked_[at] & std::byte{15}) | (unpacked_[at + 1] << 4);
    }
  }

  const Scales& scales_;
  const Dimension inner_;
  const RowFunction function_;
  const int32_t stored_type_;
  const bool quantizes_;
  int64_t longest_ = kPiece;  // elements of a call
  QuantizationRows rows_;
  std::array<std::byte, kPiece> unpacked_{};
};

void convert(const Quantization& quantization, const Extents& shape, const ConstArrayView& from,
             const ArrayView& to, bool quantizes) {
  const int32_t stored_type = quantizes ? to.data_type : from.data_type;
  const int32_t real_type = quantizes ? from.data_type : to.data_type;
  const bool packed = is_packed(stored_type);
  if (packed && shape.empty()) refuse("a 4-bit tensor has at least one axis");
  const bool by_scale = quantization.type == HB_DNN_QUANTI_SCALE;
  const int64_t axis = by_scale ? scale_axis(quantization, shape) : -1;
  Scales scales = make_scales(quantization);
  auto dimensions = plan(shape, from.strides, to.strides, axis, packed);
  if (!packed) join_short_rows(dimensions, scales);
  narrow(scales);
  const RowTable& table = rows_for_this_processor();
  const RowFunctions functions = quantizes
                                     ? table.quantization(real_type, stored_type)
                                     : table.dequantization(stored_type, real_type, scales.narrow);
  if (functions.one_scale == nullptr) {
    refuse("no quantisation between " + describe_data_type(stored_type) + " and " +
           describe_data_type(real_type));
  }
  if (std::count(shape.begin(), shape.end(), 0) > 0) return;

  Line line(functions, scales, dimensions.back(), stored_type, quantizes);
  dimensions.pop_back();
  Dimension rows = {1, 0, 0, false};
  if (!packed && !dimensions.empty() && !dimensions.back().has_scales) {
    rows = dimensions.back();
    dimensions.pop_back();
  }
  Extents position(dimensions.size(), 0);
  const std::byte* source = from.data;
  std::byte* target = to.data;
  std::size_t scale = 0;
  while (true) {
    line.run(source, target, scale, rows);
    std::size_t index = dimensions.size();
    while (true) {
      if (index == 0) return;
      const Dimension& dimension = dimensions[--index];
      source += dimension.from_stride;
      target += dimension.to_stride;
      if (dimension.has_scales) ++scale;
      if (++position[index] < dimension.count) break;
      source -= dimension.from_stride * dimension.count;
      target -= dimension.to_stride * dimension.count;
      if (dimension.has_scales) scale = 0;
      position[index] = 0;
    }
  }
}

}  // namespace

void dequantize(const Quantization& quantization, const Extents& shape,
                const ConstArrayView& stored, const ArrayView& real) {
  convert(quantization, shape, stored, real, false);
}

void quantize(const Quantization& quantization, const Extents& shape, const ConstArrayView& real,
              const ArrayView& stored) {
  convert(quantization, shape, real, stored, true);
}

}  // namespace hbm
