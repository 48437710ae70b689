// SPDX-License-Identifier: Apache-2.0
// Keeps exceptions inside: what an entry point of the ABI throws becomes a status.
#pragma once

#include <exception>
#include <new>

#include "hb_ucp_status.h"
#include "log.hpp"

namespace hbm::simulator {

template <typename Function>
[[nodiscard]] int32_t entry(const char* name, Function&& function) noexcept {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    log(LogLevel::kError, "%s: out of host memory", name);
    return HB_UCP_MEM_ALLOC_FAIL;
  } catch (const std::exception& error) {
    log(LogLevel::kError, "%s: %s", name, error.what());
    return HB_UCP_UNKNOWN_ERROR;
  }
}

}  // namespace hbm::simulator
