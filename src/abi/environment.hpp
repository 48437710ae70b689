// SPDX-License-Identifier: Apache-2.0
// Numbers in the environment, read alike by core and simulator.
#pragma once

#include <charconv>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string_view>
#include <system_error>

namespace hbm {

// The whole text as a decimal number from `lowest` to `highest`; nothing if it is anything else.
template <typename Number>
[[nodiscard]] std::optional<Number> to_number(
    std::string_view text, Number lowest = std::numeric_limits<Number>::min(),
    Number highest = std::numeric_limits<Number>::max()) noexcept {
  Number number{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end || number < lowest || number > highest) {
    return std::nullopt;
  }
  return number;
}

// Null for an unset or empty variable, which mean the same.
[[nodiscard]] inline const char* environment_text(const char* name) noexcept {
  const char* text = std::getenv(name);
  return text != nullptr && *text != '\0' ? text : nullptr;
}

// A variable that holds a number; anything else than one from `lowest` to `highest` counts as
// `fallback`.
struct NumberVariable {
  const char* name;
  int lowest;
  int highest;
  int fallback;

  [[nodiscard]] std::optional<int> parse(const char* text) const noexcept {
    return to_number(std::string_view(text), lowest, highest);
  }
  [[nodiscard]] int value() const noexcept {
    const char* text = environment_text(name);
    return text != nullptr ? parse(text).value_or(fallback) : fallback;
  }
};

// Live tasks. The libraries take a bad value as 32 (Open Explorer's guide, libhbucp.so 3.12).
inline constexpr NumberVariable kTaskLimit{"HB_UCP_MAX_TASK_NUM", 1, 65536, 32};

}  // namespace hbm
