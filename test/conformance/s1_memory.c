/* SPDX-License-Identifier: Apache-2.0
 * Sections 1 and 5.2 of the fact sheet: device memory, its cache, its limits. */
#include "conformance.h"

typedef int32_t (*Allocate)(hbUCPSysMem*, uint64_t, int32_t);
static const Allocate kAllocate[] = {&hbUCPMalloc, &hbUCPMallocCached};

void check_memory(void) {
  ROW("1", "hbUCPMalloc, hbUCPMallocCached fill address, device address and size") {
    for (size_t i = 0; i < COUNT_OF(kAllocate); ++i) {
      hbUCPSysMem memory = {0};
      EXPECT_OK(kAllocate[i](&memory, 1000, 0));
      EXPECT(memory.virAddr != NULL);
      EXPECT(memory.phyAddr != 0);
      EXPECT_EQ(memory.memSize, 1000);
      memset(memory.virAddr, 0x5A, 1000);
      EXPECT_OK(hbUCPFree(&memory));
    }
  }
  ROW("1", "addresses are multiples of 64 KiB") {
    for (uint64_t size = 1; size < 300000; size = size * 7 + 1) {
      hbUCPSysMem memory = {0};
      EXPECT_OK(hbUCPMallocCached(&memory, size, 0));
      EXPECT_EQ((uintptr_t)memory.virAddr % 65536, 0);
      EXPECT_OK(hbUCPFree(&memory));
    }
  }
  ROW("1", "null memory or the size 0: -100001") {
    hbUCPSysMem memory = {0};
    for (size_t i = 0; i < COUNT_OF(kAllocate); ++i) {
      EXPECT_EQ(kAllocate[i](NULL, 64, 0), HB_UCP_INVALID_ARGUMENT);
      EXPECT_EQ(kAllocate[i](&memory, 0, 0), HB_UCP_INVALID_ARGUMENT);
    }
    EXPECT(memory.virAddr == NULL);
  }
  ROW("1", "more than the device has: -400001, and the struct is left alone") {
    hbUCPSysMem memory = {0};
    for (size_t i = 0; i < COUNT_OF(kAllocate); ++i) {
      EXPECT_EQ(kAllocate[i](&memory, UINT64_MAX, 0), HB_UCP_MEM_ALLOC_FAIL);
      EXPECT_EQ(kAllocate[i](&memory, (uint64_t)1 << 50, 0), HB_UCP_MEM_ALLOC_FAIL);
    }
    EXPECT(memory.virAddr == NULL && memory.memSize == 0);
  }
  ROW("1", "hbUCPFree goes by the address and zeroes all 24 bytes") {
    hbUCPSysMem memory = {0};
    const hbUCPSysMem zero = {0};
    REQUIRE_OK(hbUCPMallocCached(&memory, 4096, 0));
    memory.phyAddr = 1;
    memory.memSize = 2;
    EXPECT_OK(hbUCPFree(&memory));
    EXPECT(memcmp(&memory, &zero, sizeof(zero)) == 0);
  }
  ROW("1", "hbUCPFree: null: -100001") { EXPECT_EQ(hbUCPFree(NULL), HB_UCP_INVALID_ARGUMENT); }
  ROW("1", "hbUCPFree: freed before, not an address of ours, or inside a block: -400002") {
    hbUCPSysMem memory = {0};
    int on_the_stack = 0;
    REQUIRE_OK(hbUCPMallocCached(&memory, 4096, 0));
    hbUCPSysMem inside = memory;
    inside.virAddr = (char*)memory.virAddr + 64;
    EXPECT_EQ(hbUCPFree(&inside), HB_UCP_MEM_FREE_FAIL);
    hbUCPSysMem copy = memory;
    EXPECT_OK(hbUCPFree(&memory));
    EXPECT_EQ(hbUCPFree(&copy), HB_UCP_MEM_FREE_FAIL);
    EXPECT(copy.virAddr != NULL && copy.memSize == 4096);
    hbUCPSysMem foreign = {0, &on_the_stack, sizeof(on_the_stack)};
    EXPECT_EQ(hbUCPFree(&foreign), HB_UCP_MEM_FREE_FAIL);
  }
  ROW("1", "hbUCPMemFlush: 1 invalidates, 2 cleans; other flags and null: -100001") {
    hbUCPSysMem memory = {0};
    REQUIRE_OK(hbUCPMallocCached(&memory, 4096, 0));
    EXPECT_OK(hbUCPMemFlush(&memory, 1));
    EXPECT_OK(hbUCPMemFlush(&memory, 2));
    EXPECT_EQ(hbUCPMemFlush(&memory, 0), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbUCPMemFlush(&memory, 3), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbUCPMemFlush(&memory, -1), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbUCPMemFlush(NULL, 1), HB_UCP_INVALID_ARGUMENT);
    EXPECT_OK(hbUCPFree(&memory));
  }
  ROW("1", "hbUCPMemFlush works on the address and size given: also a part of a block") {
    hbUCPSysMem memory = {0};
    REQUIRE_OK(hbUCPMallocCached(&memory, 4096, 0));
    hbUCPSysMem part = {0, (char*)memory.virAddr + 1024, 512};
    EXPECT_OK(hbUCPMemFlush(&part, HB_SYS_MEM_CACHE_CLEAN));
    EXPECT_OK(hbUCPMemFlush(&part, HB_SYS_MEM_CACHE_INVALIDATE));
    EXPECT_OK(hbUCPFree(&memory));
  }
  ROW("1", "hbUCPMemFlush outside of device memory: -400003 cleaning, -400004 invalidating") {
    hbUCPSysMem memory = {0};
    REQUIRE_OK(hbUCPMallocCached(&memory, 4096, 0));
    hbUCPSysMem longer = memory;
    longer.memSize = 4097;
    EXPECT_EQ(hbUCPMemFlush(&longer, HB_SYS_MEM_CACHE_CLEAN), HB_UCP_MEM_FLUSH_FAIL);
    EXPECT_EQ(hbUCPMemFlush(&longer, HB_SYS_MEM_CACHE_INVALIDATE), HB_UCP_MEM_INVALIDATE_FAIL);
    EXPECT_OK(hbUCPFree(&memory));
  }
  ROW("5.2", "inputs may lie in uncached memory") {
    hbDNNPackedHandle_t packed = load("basic.hbm");
    Job job;
    REQUIRE(job_open(&job, model_of(packed, "double"), 0));
    EXPECT_OK(hbUCPFree(&job.inputs[0].sysMem));
    EXPECT_OK(hbUCPMalloc(&job.inputs[0].sysMem, 64, 0));
    ((float*)input_data(&job, 0))[0] = 4;
    EXPECT_OK(job_run(&job));
    EXPECT(((const float*)output_data(&job, 0))[0] == 8);
    job_close(&job);
    EXPECT_OK(hbDNNRelease(packed));
  }
  ROW("5.2", "memory is independent of models: it outlives hbDNNRelease with its content") {
    hbDNNPackedHandle_t packed = load("basic.hbm");
    Job job;
    REQUIRE(job_open(&job, model_of(packed, "double"), 0));
    ((float*)input_data(&job, 0))[3] = 5;
    EXPECT_OK(job_run(&job));
    job_release(&job);
    EXPECT_OK(hbDNNRelease(packed));
    EXPECT(((const float*)output_data(&job, 0))[3] == 10);
    EXPECT_OK(hbUCPMemFlush(&job.outputs[0].sysMem, HB_SYS_MEM_CACHE_INVALIDATE));
    job_close(&job);
  }
  not_observable("5.2", "what the CPU reads when a flush is forgotten",
                 "a CPU's memory is coherent; a board's device memory is not");
}

/* Takes the largest block that is to be had. */
static void take_all(hbUCPSysMem* memory) {
  uint64_t good = 0;
  for (uint64_t step = 16 << 20; step > 0; step /= 2) {
    if (hbUCPMallocCached(memory, good + step, 0) != HB_UCP_SUCCESS) continue;
    good += step;
    EXPECT_OK(hbUCPFree(memory));
  }
  EXPECT_OK(hbUCPMallocCached(memory, good, 0));
}

/* In a process whose device has 16 MiB. */
void check_memory_rules(void) {
  ROW("1", "memory that is used up: -400001; what is freed can be had again") {
    hbUCPSysMem first = {0};
    hbUCPSysMem second = {0};
    EXPECT_OK(hbUCPMallocCached(&first, 12 << 20, 0));
    EXPECT_EQ(hbUCPMallocCached(&second, 8 << 20, 0), HB_UCP_MEM_ALLOC_FAIL);
    EXPECT(second.virAddr == NULL);
    EXPECT_OK(hbUCPFree(&first));
    EXPECT_OK(hbUCPMallocCached(&second, 8 << 20, 0));
    EXPECT_OK(hbUCPFree(&second));
  }
  hbUCPSysMem rest = {0};
  hbDNNPackedHandle_t packed = load("basic.hbm");
  take_all(&rest);
  ROW("1", "loading a model without device memory for it: -400001, and nothing is loaded") {
    hbDNNPackedHandle_t other = NULL;
    const char* path = model_path("head.hbm");
    EXPECT_EQ(hbDNNInitializeFromFiles(&other, &path, 1), HB_UCP_MEM_ALLOC_FAIL);
    EXPECT(other == NULL);
  }
  ROW("1", "a file that is loaded again shares its weights: it needs no more device memory") {
    hbDNNPackedHandle_t again = load("basic.hbm");
    REQUIRE(again != NULL);
    EXPECT_OK(hbDNNRelease(again));
  }
  EXPECT_OK(hbUCPFree(&rest));
  ROW("1", "when there is memory again, the model loads; Release gives its memory back") {
    for (int i = 0; i < 100; ++i) {
      hbDNNPackedHandle_t other = load("head.hbm");
      EXPECT_OK(hbDNNRelease(other));
    }
    EXPECT_OK(hbDNNRelease(packed));
    EXPECT_OK(hbUCPMallocCached(&rest, 16 << 20, 0));
    EXPECT_OK(hbUCPFree(&rest));
  }
}
