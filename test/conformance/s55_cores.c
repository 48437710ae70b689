/* SPDX-License-Identifier: Apache-2.0
 * Section 5.5 of the fact sheet: core masks, models for several cores, and the chips. */
#include "conformance.h"

static int cores_of_chip(void) { return strcmp(chip(), "S600") == 0 ? 4 : 1; }

/* Milliseconds until `count` jobs with these backends are done, -1 on a broken expectation. */
static int64_t time_of(hbDNNHandle_t model, const uint64_t* backends, int count) {
  Job jobs[4];
  bool good = true;
  for (int i = 0; i < count; ++i) {
    good = job_open(&jobs[i], model, 0) && EXPECT_OK(job_infer(&jobs[i])) && good;
  }
  const int64_t start = now_ms();
  for (int i = 0; good && i < count; ++i) good = EXPECT_OK(job_submit(&jobs[i], 0, 0, backends[i]));
  for (int i = 0; good && i < count; ++i) good = EXPECT_OK(job_wait(&jobs[i], WAIT_MS));
  const int64_t spent = now_ms() - start;
  for (int i = 0; i < count; ++i) job_close(&jobs[i]);
  return good ? spent : -1;
}

static void expect_backend(Job* job, uint64_t backend, int32_t status) {
  if (!EXPECT_OK(job_infer(job))) return;
  EXPECT_EQ(job_submit(job, 0, 0, backend), status);
  if (status == HB_UCP_SUCCESS) EXPECT_OK(job_wait(job, WAIT_MS));
  job_release(job);
}

/* On the default chip, which has four cores. */
void check_core_masks(void) {
  hbDNNPackedHandle_t packed = load("slow.hbm");
  hbDNNHandle_t slow = model_of(packed, "slow_200ms");
  hbDNNHandle_t quick = model_of(packed, "quick");
  Job job;
  if (slow == NULL || quick == NULL || !job_open(&job, quick, 0)) return;
  ROW("5.5", "CORE_ANY, BPU_CORE_ANY, each core and every set of cores run a single-core model") {
    expect_backend(&job, HB_UCP_CORE_ANY, HB_UCP_SUCCESS);
    expect_backend(&job, HB_UCP_BPU_CORE_ANY, HB_UCP_SUCCESS);
    for (uint64_t cores = 1; cores < 16; ++cores) expect_backend(&job, cores, HB_UCP_SUCCESS);
  }
  ROW("5.5", "an OR of cores is a set of candidates: bits of no core are ignored") {
    expect_backend(&job, HB_UCP_BPU_CORE_3 | 1ULL << 5, HB_UCP_SUCCESS);
    expect_backend(&job, 1ULL << 5, HB_UCP_INVALID_ARGUMENT);
  }
  job_close(&job);
  static const uint64_t kSame[] = {HB_UCP_BPU_CORE_1, HB_UCP_BPU_CORE_1, HB_UCP_BPU_CORE_1,
                                   HB_UCP_BPU_CORE_1};
  static const uint64_t kAny[] = {HB_UCP_CORE_ANY, HB_UCP_BPU_CORE_ANY, HB_UCP_BPU_CORE_ANY,
                                  HB_UCP_CORE_ANY};
  static const uint64_t kTwo[] = {5, 5, 5, 5};
  const int64_t serial = time_of(slow, kSame, 4);
  ROW("5.5", "one core runs one task at a time") { EXPECT(serial >= 4 * 200); }
  ROW("5.5", "cores run side by side") {
    const int64_t parallel = time_of(slow, kAny, 4);
    EXPECT(parallel >= 200 && parallel < serial * 3 / 4);
  }
  ROW("5.5", "a set of two cores runs two tasks at a time") {
    const int64_t paired = time_of(slow, kTwo, 4);
    EXPECT(paired >= 2 * 200 && paired < serial);
  }
  ROW("5.5", "a job waits for its core although another one is free") {
    static const uint64_t kPinned[] = {HB_UCP_BPU_CORE_2, HB_UCP_BPU_CORE_2};
    EXPECT(time_of(slow, kPinned, 2) >= 2 * 200);
  }
  EXPECT_OK(hbDNNRelease(packed));
}

void check_multi_core(void) {
  hbDNNPackedHandle_t packed = load("cores.hbm");
  hbDNNHandle_t pair = model_of(packed, "pair");
  hbDNNHandle_t quad = model_of(packed, "quad");
  hbDNNHandle_t single = model_of(packed, "single");
  Job job;
  if (pair == NULL || quad == NULL || single == NULL || !job_open(&job, pair, 0)) return;
  ROW("5.5", "GetCompileBpuCoreNum tells the number of cores that a model was compiled for") {
    int32_t count = 0;
    EXPECT_OK(hbDNNGetCompileBpuCoreNum(&count, pair));
    EXPECT_EQ(count, 2);
    EXPECT_OK(hbDNNGetCompileBpuCoreNum(&count, quad));
    EXPECT_EQ(count, 4);
    EXPECT_OK(hbDNNGetCompileBpuCoreNum(&count, single));
    EXPECT_EQ(count, 1);
  }
  ROW("5.5", "a model of n cores runs on any n cores that are named") {
    static const uint64_t kPairs[] = {3, 5, 9, 6, 10, 12};
    for (size_t i = 0; i < COUNT_OF(kPairs); ++i) expect_backend(&job, kPairs[i], HB_UCP_SUCCESS);
  }
  ROW("5.5", "it needs exactly n: fewer, more, CORE_ANY and BPU_CORE_ANY are refused") {
    expect_backend(&job, HB_UCP_BPU_CORE_0, HB_UCP_INVALID_ARGUMENT);
    expect_backend(&job, 7, HB_UCP_INVALID_ARGUMENT);
    expect_backend(&job, 15, HB_UCP_INVALID_ARGUMENT);
    expect_backend(&job, HB_UCP_CORE_ANY, HB_UCP_INVALID_ARGUMENT);
    expect_backend(&job, HB_UCP_BPU_CORE_ANY, HB_UCP_INVALID_ARGUMENT);
  }
  ROW("5.5", "a refused submission can be retried with the right cores") {
    EXPECT_OK(job_infer(&job));
    EXPECT_EQ(job_submit(&job, 0, 0, HB_UCP_BPU_CORE_ANY), HB_UCP_INVALID_ARGUMENT);
    ((float*)input_data(&job, 0))[0] = 11;
    EXPECT_OK(job_submit(&job, 0, 0, HB_UCP_BPU_CORE_0 | HB_UCP_BPU_CORE_3));
    EXPECT_OK(job_wait(&job, WAIT_MS));
    EXPECT(((const float*)output_data(&job, 0))[0] == 22);
    job_release(&job);
  }
  ROW("5.5", "no synchronous mode for a model of several cores") {
    EXPECT_REFUSED(hbDNNInferV2(NULL, job.outputs, job.inputs, pair));
  }
  ROW("5.5", "no sub-task of a model of several cores, nor one behind it") {
    Job other;
    REQUIRE(job_open(&other, single, 0));
    EXPECT_OK(job_infer(&other));
    hbUCPTaskHandle_t task = other.task;
    EXPECT_REFUSED(hbDNNInferV2(&task, job.outputs, job.inputs, pair));
    EXPECT_OK(job_infer(&job));
    task = job.task;
    EXPECT_REFUSED(hbDNNInferV2(&task, other.outputs, other.inputs, single));
    EXPECT_REFUSED(hbDNNInferV2(&task, job.outputs, job.inputs, pair));
    job_release(&job);
    job_close(&other);
  }
  ROW("5.5", "it occupies its n cores at the same time: two pairs on shared cores take turns") {
    static const uint64_t kShared[] = {3, 6};
    EXPECT(time_of(pair, kShared, 2) >= 2 * 100);
  }
  ROW("5.5", "pairs on separate cores run side by side") {
    static const uint64_t kSeparate[] = {3, 12, 3, 12};
    static const uint64_t kSame[] = {3, 3, 3, 3};
    const int64_t serial = time_of(pair, kSame, 4);
    const int64_t parallel = time_of(pair, kSeparate, 4);
    EXPECT(serial >= 4 * 100);
    EXPECT(parallel < serial);
  }
  job_close(&job);
  ROW("5.5", "a model of all four cores runs behind single-core tasks, and is not starved") {
    Job small[4];
    REQUIRE(job_open(&job, quad, 0));
    for (int i = 0; i < 4; ++i) {
      if (!job_open(&small[i], single, 0)) continue;
      EXPECT_OK(job_infer(&small[i]));
      EXPECT_OK(job_submit(&small[i], 0, 0, 1ULL << i));
    }
    EXPECT_OK(job_infer(&job));
    EXPECT_OK(job_submit(&job, 100, 0, 15));
    EXPECT_OK(job_wait(&job, WAIT_MS));
    for (int i = 0; i < 4; ++i) {
      EXPECT_OK(job_wait(&small[i], WAIT_MS));
      job_close(&small[i]);
    }
    job_close(&job);
  }
  EXPECT_OK(hbDNNRelease(packed));
  not_observable("5.5", "device ids other than 0", "they are reserved");
  not_observable("5.5", "-200003 of models for several cores without L2M on an S600",
                 "it depends on the model's memory needs");
}

static void check_march(const char* file, const char* its_chip) {
  hbDNNPackedHandle_t packed = NULL;
  const char* path = model_path(file);
  const bool fits = strcmp(chip(), its_chip) == 0;
  EXPECT_EQ(hbDNNInitializeFromFiles(&packed, &path, 1),
            fits ? HB_UCP_SUCCESS : HB_UCP_MODEL_INCOMPATIBLE);
  EXPECT(fits == (packed != NULL));
  if (packed != NULL) EXPECT_OK(hbDNNRelease(packed));
}

void check_chip(void) {
  hbDNNPackedHandle_t packed = load("basic.hbm");
  hbDNNHandle_t model = model_of(packed, "double");
  Job job;
  if (model == NULL || !job_open(&job, model, 0)) return;
  ROW("5.5", "number of BPU cores: one on S100 and S100P, four on S600; others: -100001") {
    for (int core = 0; core < 4; ++core) {
      expect_backend(&job, 1ULL << core,
                     core < cores_of_chip() ? HB_UCP_SUCCESS : HB_UCP_INVALID_ARGUMENT);
    }
    expect_backend(&job, HB_UCP_BPU_CORE_ANY, HB_UCP_SUCCESS);
    expect_backend(&job, HB_UCP_CORE_ANY, HB_UCP_SUCCESS);
  }
  ROW("5.5", "one existing core in the set is enough") {
    expect_backend(&job, 15, HB_UCP_SUCCESS);
    expect_backend(&job, HB_UCP_BPU_CORE_0 | HB_UCP_BPU_CORE_2, HB_UCP_SUCCESS);
    expect_backend(&job, HB_UCP_BPU_CORE_1 | HB_UCP_BPU_CORE_3,
                   cores_of_chip() == 4 ? HB_UCP_SUCCESS : HB_UCP_INVALID_ARGUMENT);
  }
  ROW("1", "a model for another march: -600004; nash-e is S100, nash-m S100P, nash-p S600") {
    check_march("march_e.hbm", "S100");
    check_march("march_m.hbm", "S100P");
    check_march("march_p.hbm", "S600");
    check_march("march_b.hbm", "none");
  }
  ROW("1", "GetSocName gives the board's name; S100P, then S600, then S100 is looked for in it") {
    const char* name = hbUCPGetSocName();
    const char* found = strstr(name, "S100P") != NULL  ? "S100P"
                        : strstr(name, "S600") != NULL ? "S600"
                        : strstr(name, "S100") != NULL ? "S100"
                                                       : "none";
    EXPECT(strcmp(found, chip()) == 0);
    EXPECT(strcmp(name, chip()) != 0);
  }
  job_close(&job);
  EXPECT_OK(hbDNNRelease(packed));
}
