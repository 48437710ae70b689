// SPDX-License-Identifier: Apache-2.0
// The task and memory half of the accelerator's C ABI (libhbucp.so), declared in our own words.
// Facts are those of the vendor's UCP API reference (Open Explorer), whose pages have the names of
// the functions and types; another source is named where it is used.
#ifndef HBM_ABI_HB_UCP_H_
#define HBM_ABI_HB_UCP_H_

#include <stdint.h>

#include "hb_ucp_status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef void* hbUCPTaskHandle_t;

enum {
  HB_UCP_PRIORITY_LOWEST = 0,
  HB_UCP_PRIORITY_HIGHEST = 255,
};

// Bits of hbUCPSchedParam.backend (its page); CORE_ANY stands alone.
#define HB_UCP_CORE_ANY 0ULL
#define HB_UCP_BPU_CORE_0 (1ULL << 0)
#define HB_UCP_BPU_CORE_1 (1ULL << 1)
#define HB_UCP_BPU_CORE_2 (1ULL << 2)
#define HB_UCP_BPU_CORE_3 (1ULL << 3)
#define HB_UCP_BPU_CORE_ANY (1ULL << 7)

typedef enum hbUCPMemFlushFlag {
  HB_SYS_MEM_CACHE_INVALIDATE = 1,  // before the CPU reads what the device wrote
  HB_SYS_MEM_CACHE_CLEAN = 2,       // after the CPU wrote, before the device reads
} hbUCPMemFlushFlag;

typedef struct hbUCPSysMem {
  uint64_t phyAddr;
  void* virAddr;
  uint64_t memSize;  // bytes
} hbUCPSysMem;

typedef struct hbUCPSchedParam {
  int32_t priority;   // 0..255, higher first; 254 and 255 may preempt (hbUCPTaskPriority)
  int64_t customId;   // among equal priorities the smaller runs first
  uint64_t backend;   // mask of HB_UCP_*CORE* bits
  uint32_t deviceId;  // reserved, 0
} hbUCPSchedParam;

// Lowest priority, any hardware that can run the task.
#define HB_UCP_INITIALIZE_SCHED_PARAM(param) \
  do {                                       \
    (param)->priority = 0;                   \
    (param)->customId = 0;                   \
    (param)->backend = HB_UCP_CORE_ANY;      \
    (param)->deviceId = 0;                   \
  } while (0)

// Called once, on a thread of the runtime, after the task was marked done; a waiter may return
// before it ran. To release the task inside is not documented (hbUCPSetTaskDoneCb).
typedef void (*hbUCPTaskDoneCb)(hbUCPTaskHandle_t task, int32_t status, void* user_data);

const char* hbUCPGetVersion(void);
const char* hbUCPGetSocName(void);

int32_t hbUCPMalloc(hbUCPSysMem* memory, uint64_t size, int32_t device_id);
int32_t hbUCPMallocCached(hbUCPSysMem* memory, uint64_t size, int32_t device_id);
int32_t hbUCPMemFlush(const hbUCPSysMem* memory, int32_t flag);
int32_t hbUCPFree(hbUCPSysMem* memory);

// The parameter struct is copied; the call does not wait (hbUCPSubmitTask).
int32_t hbUCPSubmitTask(hbUCPTaskHandle_t task, hbUCPSchedParam* param);
// timeout_ms <= 0 waits for ever; an expired wait leaves the task running (hbUCPWaitTaskDone).
int32_t hbUCPWaitTaskDone(hbUCPTaskHandle_t task, int32_t timeout_ms);
int32_t hbUCPSetTaskDoneCb(hbUCPTaskHandle_t task, hbUCPTaskDoneCb callback, void* user_data);
// Needed once per task; cancels a task in flight and waits until the device let go of it
// (hbUCPReleaseTask).
int32_t hbUCPReleaseTask(hbUCPTaskHandle_t task);

#ifdef __cplusplus
}  // extern "C"
#endif

#endif  // HBM_ABI_HB_UCP_H_
