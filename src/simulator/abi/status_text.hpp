// SPDX-License-Identifier: Apache-2.0
// The text behind hbUCPGetErrorDesc and hbDNNGetErrorDesc.
#pragma once

#include "status_table.hpp"

namespace hbm::simulator {

[[nodiscard]] constexpr const char* status_text(int32_t status) {
  const abi::StatusRow* row = abi::find_status(status);
  return row != nullptr ? row->text : "there is no such status code";
}

}  // namespace hbm::simulator
