// SPDX-License-Identifier: Apache-2.0
// Turns a status of the ABI into the core's exception.
#include "core/board/error.hpp"

#include "abi/chips.hpp"
#include "abi/status_table.hpp"
#include "core/board/log.hpp"

namespace hbm {
namespace {

ErrorKind kind_of(int32_t status) noexcept {
  switch (status) {
    case HB_UCP_INVALID_ARGUMENT:
      return ErrorKind::kInput;
    case HB_UCP_INIT_FAILED:
      return ErrorKind::kLibrary;
    case HB_UCP_TASK_TIMEOUT:
      return ErrorKind::kTimeout;
    case HB_UCP_MEM_ALLOC_FAIL:
      return ErrorKind::kMemory;
    case HB_UCP_FILE_OPEN_FAILED:
    case HB_UCP_MODEL_NUMBER_EXCEED_LIMIT:
    case HB_UCP_MODEL_INVALID:
    case HB_UCP_MODEL_IS_INUSE:
    case HB_UCP_MODEL_INCOMPATIBLE:
      return ErrorKind::kModel;
    default:
      return ErrorKind::kTask;
  }
}

// "S100: nash-e, …"
std::string marches() {
  std::string text;
  for (const Chip& chip : kChips) {
    text += std::string(text.empty() ? "" : ", ") + chip.name + ": " + chip.march;
  }
  return text;
}

// What a person can do about it; empty where only the accelerator's own text helps.
std::string remedy_of(int32_t status) {
  switch (status) {
    case HB_UCP_MEM_ALLOC_FAIL:
      return "; drop outputs and runtimes that are no longer needed, or load fewer models";
    case HB_UCP_FILE_OPEN_FAILED:
      return "; check the path and its permissions";
    case HB_UCP_MODEL_INVALID:
      return "; copy, compile or pack the file again";
    case HB_UCP_MODEL_INCOMPATIBLE:
      return "; compile it for this chip's march (" + marches() + ")";
    default:
      return "";
  }
}

}  // namespace

std::string status_name(int32_t status) {
  const abi::StatusRow* row = abi::find_status(status);
  return row != nullptr ? std::string(row->name) : "unknown status";
}

void fail(int32_t status, const char* call, std::string_view doing, PlaceView place) {
  const abi::StatusRow* row = abi::find_status(status);
  std::string message;
  if (!place.model.empty()) message += "model '" + std::string(place.model) + "'";
  if (!place.tensor.empty()) message += ", tensor '" + std::string(place.tensor) + "'";
  if (!message.empty()) message += ": ";
  message += "failed to " + std::string(doing) + ": " + call + " returned " +
             std::to_string(status) + " (" + status_name(status) +
             (row != nullptr ? std::string(": ") + row->text : "") + ")" + remedy_of(status);
  const std::string said = last_error_line();
  if (!said.empty()) message += "; the accelerator says: " + said;
  throw Error(kind_of(status), message, {std::string(place.model), std::string(place.tensor)}, call,
              status);
}

}  // namespace hbm
