// SPDX-License-Identifier: Apache-2.0
// Name and text of every status code, in one list for the core and the simulator.
#pragma once

#include <string_view>

#include "hb_ucp_status.h"

// X(code, text)
#define HBM_STATUS_TABLE(X)                                                                     \
  X(HB_UCP_SUCCESS, "success")                                                                  \
  X(HB_UCP_INVALID_ARGUMENT, "an argument or a handle is null, unknown or out of range")        \
  X(HB_UCP_API_USE_ERROR, "the calls came in the wrong order")                                  \
  X(HB_UCP_INIT_FAILED, "the runtime could not be initialised")                                 \
  X(HB_UCP_UNKNOWN_ERROR, "an internal error happened")                                         \
  X(HB_UCP_TASK_NUMBER_EXCEED_LIMIT, "no more tasks can be made before others are released")    \
  X(HB_UCP_TASK_TIMEOUT, "the wait for the task expired")                                       \
  X(HB_UCP_TASK_RUN_FAILED, "the task failed or was cancelled")                                 \
  X(HB_UCP_TASK_HANDLE_INVALID, "the task handle is unknown or the task is in the wrong state") \
  X(HB_UCP_OP_NUMBER_EXCEED_LIMIT, "too many operators")                                        \
  X(HB_UCP_OP_NOT_REGISTER, "the operator is not registered")                                   \
  X(HB_UCP_OP_CMD_UNAVAILABLE, "the operator's command is not available")                       \
  X(HB_UCP_MEM_ALLOC_FAIL, "device memory could not be allocated")                              \
  X(HB_UCP_MEM_FREE_FAIL, "device memory could not be freed")                                   \
  X(HB_UCP_MEM_FLUSH_FAIL, "the cache could not be cleaned")                                    \
  X(HB_UCP_MEM_INVALIDATE_FAIL, "the cache could not be invalidated")                           \
  X(HB_UCP_MEM_IS_INVALID, "the memory does not belong to the device")                          \
  X(HB_UCP_MEM_MAP_FAIL, "the memory could not be mapped")                                      \
  X(HB_UCP_MEM_UNMAP_FAIL, "the memory could not be unmapped")                                  \
  X(HB_UCP_FILE_OPEN_FAILED, "the file could not be opened")                                    \
  X(HB_UCP_MODEL_NUMBER_EXCEED_LIMIT, "too many models")                                        \
  X(HB_UCP_MODEL_INVALID, "the model file is not valid")                                        \
  X(HB_UCP_MODEL_IS_INUSE, "the model is still in use")                                         \
  X(HB_UCP_MODEL_INCOMPATIBLE, "the model was compiled for another chip")                       \
  X(HB_UCP_DSP_UNAVAILABLE, "the DSP is not available")                                         \
  X(HB_UCP_DSP_XV_ALLOC_FAIL, "DSP memory could not be allocated")                              \
  X(HB_UCP_DSP_XV_FREE_FAIL, "DSP memory could not be freed")                                   \
  X(HB_UCP_DSP_IDMA_COPY_FAIL, "the DSP's copy failed")                                         \
  X(HB_UCP_DSP_IDMA_BAD_INIT, "the DSP's copy engine is not initialised")                       \
  X(HB_UCP_DSP_MMAP_FAIL, "DSP memory could not be mapped")                                     \
  X(HB_UCP_DSP_INVALID_SCALE, "the DSP got an invalid scale")                                   \
  X(HB_UCP_DSP_UNMAP_FAIL, "DSP memory could not be unmapped")                                  \
  X(HB_UCP_DSP_OFFLINE, "the DSP is offline")                                                   \
  X(HB_UCP_CODEC_OPERATION_NOT_ALLOWED, "the codec does not allow this now")                    \
  X(HB_UCP_CODEC_INSUFFICIENT_RES, "the codec lacks resources")                                 \
  X(HB_UCP_CODEC_NO_FREE_INSTANCE, "the codec has no free instance")                            \
  X(HB_UCP_CODEC_INVALID_INSTANCE, "the codec instance is not valid")                           \
  X(HB_UCP_CODEC_BUFFER_WAIT_TIMEOUT, "the wait for a codec buffer expired")                    \
  X(HB_UCP_CODEC_IS_INUSE, "the codec is in use")                                               \
  X(HB_UCP_ISP_NO_AVAILABLE_SLOT, "the image signal processor has no free slot")                \
  X(HB_UCP_ISP_CTX_INUSE, "the image signal processor's context is in use")

namespace hbm::abi {

struct StatusRow {
  int32_t code;
  std::string_view name;  // as in the ABI, e.g. "HB_UCP_TASK_TIMEOUT"
  const char* text;
};

#define HBM_STATUS_ROW(code, text) StatusRow{code, #code, text},
inline constexpr StatusRow kStatusTable[] = {HBM_STATUS_TABLE(HBM_STATUS_ROW)};
#undef HBM_STATUS_ROW

// Null when the code is none of the ABI's.
[[nodiscard]] constexpr const StatusRow* find_status(int32_t code) {
  for (const StatusRow& row : kStatusTable) {
    if (row.code == code) return &row;
  }
  return nullptr;
}

// Never null: any other code has a text of its own.
[[nodiscard]] constexpr const char* status_text(int32_t code) {
  const StatusRow* row = find_status(code);
  return row != nullptr ? row->text : "there is no such status code";
}

}  // namespace hbm::abi
