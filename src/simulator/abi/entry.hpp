// SPDX-License-Identifier: Apache-2.0
// What every entry point has around it: faults on order, and exceptions turned into statuses.
#pragma once

#include <exception>
#include <new>

#include "abi/hb_ucp_status.h"
#include "simulator/watching/faults.hpp"
#include "simulator/watching/log.hpp"

namespace hbm::simulator {

template <typename Function>
[[nodiscard]] int32_t entry(const char* name, Function&& function) noexcept {
  try {
    const int32_t fault = hbSimFault(name);
    return fault != HB_UCP_SUCCESS ? fault : function();
  } catch (const std::bad_alloc&) {
    log(LogLevel::kError, "%s: out of host memory", name);
    return HB_UCP_MEM_ALLOC_FAIL;
  } catch (const std::exception& error) {
    log(LogLevel::kError, "%s: %s", name, error.what());
    return HB_UCP_UNKNOWN_ERROR;
  }
}

}  // namespace hbm::simulator
