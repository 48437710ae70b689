/* SPDX-License-Identifier: Apache-2.0
 * Section 5.8 of the fact sheet, and the end of 1: how a program tells this ABI from older ones. */
#define _GNU_SOURCE /* RTLD_DEFAULT */
#include <dlfcn.h>

#include "conformance.h"

void check_other_abi(void) {
  ROW("2", "the probe for this ABI: libdnn.so has hbDNNInferV2, and there is a libhbucp.so") {
    EXPECT(dlsym(RTLD_DEFAULT, "hbDNNInferV2") != NULL);
    EXPECT(dlsym(RTLD_DEFAULT, "hbUCPSubmitTask") != NULL);
  }
  ROW("1", "functions of older chips are absent") {
    static const char* const kOlder[] = {
        "hbDNNInfer",    "hbDNNWaitTaskDone", "hbDNNReleaseTask",
        "hbDNNRoiInfer", "hbDNNRoiInferV2",   "hbSysAllocCachedMem",
        "hbSysAllocMem", "hbSysFlushMem",     "hbSysFreeMem"};
    for (size_t i = 0; i < COUNT_OF(kOlder); ++i) EXPECT(dlsym(RTLD_DEFAULT, kOlder[i]) == NULL);
  }
  not_observable("5.8", "the ABI of X5 and X3", "another one; this pair is not for it");
}
