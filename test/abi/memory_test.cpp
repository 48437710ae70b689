// SPDX-License-Identifier: Apache-2.0
// Device memory through the ABI: what may be allocated, flushed and freed.
#include <gtest/gtest.h>

#include "abi/hb_ucp.h"

namespace {

TEST(Malloc, GivesAlignedMemoryWithADeviceAddress) {
  for (const auto allocate : {&hbUCPMalloc, &hbUCPMallocCached}) {
    hbUCPSysMem memory{};
    ASSERT_EQ(allocate(&memory, 1000, 0), HB_UCP_SUCCESS);
    EXPECT_EQ(memory.memSize, 1000U);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(memory.virAddr) % 65536, 0U);
    EXPECT_NE(memory.phyAddr, 0U);
    EXPECT_EQ(hbUCPFree(&memory), HB_UCP_SUCCESS);
  }
}

TEST(Malloc, RefusesNothingAndNowhere) {
  hbUCPSysMem memory{};
  EXPECT_EQ(hbUCPMallocCached(nullptr, 1, 0), HB_UCP_INVALID_ARGUMENT);
  EXPECT_EQ(hbUCPMallocCached(&memory, 0, 0), HB_UCP_INVALID_ARGUMENT);
}

TEST(Malloc, SaysWhenTheDeviceHasNoMemoryLeft) {
  hbUCPSysMem memory{};
  EXPECT_EQ(hbUCPMallocCached(&memory, UINT64_MAX, 0), HB_UCP_MEM_ALLOC_FAIL);
  EXPECT_EQ(hbUCPMallocCached(&memory, uint64_t{1} << 40U, 0), HB_UCP_MEM_ALLOC_FAIL);
  EXPECT_EQ(memory.virAddr, nullptr);
}

TEST(Free, ClearsTheStructAndReportsASecondFree) {
  hbUCPSysMem memory{};
  ASSERT_EQ(hbUCPMallocCached(&memory, 64, 0), HB_UCP_SUCCESS);
  hbUCPSysMem copy = memory;
  EXPECT_EQ(hbUCPFree(&memory), HB_UCP_SUCCESS);
  EXPECT_EQ(memory.virAddr, nullptr);
  EXPECT_EQ(memory.memSize, 0U);
  EXPECT_EQ(hbUCPFree(&copy), HB_UCP_MEM_FREE_FAIL);
  EXPECT_EQ(hbUCPFree(nullptr), HB_UCP_INVALID_ARGUMENT);
}

TEST(MemFlush, KnowsTwoFlagsAndItsOwnMemory) {
  hbUCPSysMem memory{};
  ASSERT_EQ(hbUCPMallocCached(&memory, 64, 0), HB_UCP_SUCCESS);
  EXPECT_EQ(hbUCPMemFlush(&memory, HB_SYS_MEM_CACHE_CLEAN), HB_UCP_SUCCESS);
  EXPECT_EQ(hbUCPMemFlush(&memory, HB_SYS_MEM_CACHE_INVALIDATE), HB_UCP_SUCCESS);
  EXPECT_EQ(hbUCPMemFlush(&memory, 0), HB_UCP_INVALID_ARGUMENT);
  EXPECT_EQ(hbUCPMemFlush(nullptr, HB_SYS_MEM_CACHE_CLEAN), HB_UCP_INVALID_ARGUMENT);
  hbUCPSysMem longer = memory;
  longer.memSize = 65;
  EXPECT_EQ(hbUCPMemFlush(&longer, HB_SYS_MEM_CACHE_CLEAN), HB_UCP_MEM_FLUSH_FAIL);
  EXPECT_EQ(hbUCPMemFlush(&longer, HB_SYS_MEM_CACHE_INVALIDATE), HB_UCP_MEM_INVALIDATE_FAIL);
  EXPECT_EQ(hbUCPFree(&memory), HB_UCP_SUCCESS);
}

TEST(GetErrorDesc, HasATextForEveryNumber) {
  EXPECT_STREQ(hbUCPGetErrorDesc(0), "success");
  EXPECT_NE(hbUCPGetErrorDesc(HB_UCP_TASK_TIMEOUT), nullptr);
  EXPECT_STREQ(hbUCPGetErrorDesc(12345), hbUCPGetErrorDesc(54321));
}

}  // namespace
