// SPDX-License-Identifier: Apache-2.0
// The entry points of libhbucp.so: check, call inside, return a status.
#include "abi/hb_ucp.h"
#include "abi/status_table.hpp"
#include "simulator/abi/entry.hpp"
#include "simulator/device/device.hpp"
#include "simulator/watching/faults.hpp"
#include "simulator/watching/log.hpp"

using hbm::simulator::Caching;
using hbm::simulator::entry;
using hbm::simulator::Faults;
using hbm::simulator::LogLevel;
using hbm::simulator::SimulatedDevice;

namespace {

int32_t allocate(const char* name, hbUCPSysMem* memory, uint64_t size, Caching caching) {
  return entry(
      name, [&] { return SimulatedDevice::instance().memory().allocate(memory, size, caching); });
}

}  // namespace

extern "C" {

hbm::simulator::Device* hbSimDevice() { return &SimulatedDevice::instance(); }

// For our runtime: the ABI has no way to ask for the number of cores.
int hbSimCoreCount() { return SimulatedDevice::instance().profile().core_count; }

// For our tests: how much of a kind is alive; -1 for a kind that we do not know.
int64_t hbSimLive(const char* kind) { return SimulatedDevice::instance().live(kind); }

int32_t hbSimFault(const char* function) {
  if (SimulatedDevice::instance().is_forked()) {
    hbm::simulator::log(LogLevel::kError,
                        "%s: a forked child cannot use the accelerator that its parent opened",
                        function);
    return HB_UCP_API_USE_ERROR;
  }
  return Faults::instance().on_call(function);
}

// For our tests: replaces the rules of HBM_SIM_FAULTS and counts calls from 1 again.
int32_t hbSimSetFaults(const char* rules) {
  const auto error = Faults::instance().set(rules != nullptr ? rules : "");
  if (!error) return HB_UCP_SUCCESS;
  hbm::simulator::log(LogLevel::kError, "%s", error->c_str());
  return HB_UCP_INVALID_ARGUMENT;
}

const char* hbUCPGetVersion() { return hbm::simulator::kUcpVersion; }

const char* hbUCPGetSocName() { return SimulatedDevice::instance().profile().chip.soc_name; }

const char* hbUCPGetErrorDesc(int32_t status) { return hbm::abi::status_text(status); }

// The device id is reserved.
int32_t hbUCPMalloc(hbUCPSysMem* memory, uint64_t size, int32_t) {
  return allocate("hbUCPMalloc", memory, size, Caching::kUncached);
}

int32_t hbUCPMallocCached(hbUCPSysMem* memory, uint64_t size, int32_t) {
  return allocate("hbUCPMallocCached", memory, size, Caching::kCached);
}

int32_t hbUCPFree(hbUCPSysMem* memory) {
  return entry("hbUCPFree", [&] { return SimulatedDevice::instance().memory().release(memory); });
}

int32_t hbUCPMemFlush(const hbUCPSysMem* memory, int32_t flag) {
  return entry("hbUCPMemFlush",
               [&] { return SimulatedDevice::instance().memory().flush(memory, flag); });
}

int32_t hbUCPSubmitTask(hbUCPTaskHandle_t task, hbUCPSchedParam* param) {
  return entry("hbUCPSubmitTask", [&] { return SimulatedDevice::instance().submit(task, param); });
}

int32_t hbUCPWaitTaskDone(hbUCPTaskHandle_t task, int32_t timeout_ms) {
  return entry("hbUCPWaitTaskDone",
               [&] { return SimulatedDevice::instance().wait(task, timeout_ms); });
}

int32_t hbUCPSetTaskDoneCb(hbUCPTaskHandle_t task, hbUCPTaskDoneCb callback, void* user_data) {
  return entry("hbUCPSetTaskDoneCb",
               [&] { return SimulatedDevice::instance().set_callback(task, callback, user_data); });
}

int32_t hbUCPReleaseTask(hbUCPTaskHandle_t task) {
  return entry("hbUCPReleaseTask", [&] { return SimulatedDevice::instance().release(task); });
}

}  // extern "C"
