// SPDX-License-Identifier: Apache-2.0
// Up to ten numbers, one per dimension of a tensor, without memory of their own to allocate.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <utility>
#include <vector>

#include "hb_dnn.h"

namespace hbm {

// As much of std::vector<int64_t> as shapes and strides need; throws std::length_error past ten.
class Extents {
 public:
  using value_type = int64_t;
  using iterator = int64_t*;
  using const_iterator = const int64_t*;

  static constexpr std::size_t kMost = HB_DNN_TENSOR_MAX_DIMENSIONS;

  Extents() = default;
  explicit Extents(std::size_t size, int64_t value = 0) { resize(size, value); }
  Extents(std::initializer_list<int64_t> values) { assign(values.begin(), values.end()); }
  Extents(const std::vector<int64_t>& values) { assign(values.begin(), values.end()); }
  template <typename Iterator, typename = decltype(*std::declval<Iterator&>())>
  Extents(Iterator first, Iterator last) {
    assign(first, last);
  }

  template <typename Iterator>
  void assign(Iterator first, Iterator last) {
    size_ = 0;
    for (; first != last; ++first) push_back(static_cast<int64_t>(*first));
  }
  void resize(std::size_t size, int64_t value = 0) {
    if (size > kMost) throw std::length_error("a tensor has at most 10 dimensions");
    for (; size_ < size; ++size_) values_[size_] = value;
    size_ = size;
  }
  void push_back(int64_t value) { resize(size_ + 1, value); }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] int64_t& operator[](std::size_t axis) noexcept { return values_[axis]; }
  [[nodiscard]] int64_t operator[](std::size_t axis) const noexcept { return values_[axis]; }
  [[nodiscard]] int64_t& back() noexcept { return values_[size_ - 1]; }
  [[nodiscard]] int64_t back() const noexcept { return values_[size_ - 1]; }
  [[nodiscard]] const int64_t* data() const noexcept { return values_.data(); }
  [[nodiscard]] iterator begin() noexcept { return values_.data(); }
  [[nodiscard]] iterator end() noexcept { return values_.data() + size_; }
  [[nodiscard]] const_iterator begin() const noexcept { return values_.data(); }
  [[nodiscard]] const_iterator end() const noexcept { return values_.data() + size_; }

  operator std::vector<int64_t>() const { return {begin(), end()}; }

  friend bool operator==(const Extents& a, const Extents& b) noexcept {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }
  friend bool operator!=(const Extents& a, const Extents& b) noexcept { return !(a == b); }

 private:
  std::array<int64_t, kMost> values_{};
  std::size_t size_ = 0;
};

}  // namespace hbm
