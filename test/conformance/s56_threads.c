/* SPDX-License-Identifier: Apache-2.0
 * Section 5.6 of the fact sheet: the functions from several threads. */
#include <pthread.h>
#include <stdatomic.h>

#include "conformance.h"

enum { THREADS = 4, RUNS = 50 };

static hbDNNHandle_t shared_model;
static hbDNNPackedHandle_t shared_packed;
static atomic_int broken_runs;

/* Expectations are the main thread's; here only a count. */
static void* run_many(void* argument) {
  const int number = *(const int*)argument;
  hbUCPSysMem memory[2] = {{0}, {0}};
  hbDNNTensor input = {0};
  hbDNNTensor output = {0};
  for (int i = 0; i < 2; ++i) {
    if (hbUCPMallocCached(&memory[i], 4096, 0) != 0) atomic_fetch_add(&broken_runs, 1);
  }
  for (int run = 0; run < RUNS; ++run) {
    const float value = (float)(number * 1000 + run);
    hbUCPTaskHandle_t task = NULL;
    hbUCPSchedParam param;
    HB_UCP_INITIALIZE_SCHED_PARAM(&param);
    param.priority = run % 254;
    input.sysMem = memory[0];
    output.sysMem = memory[1];
    int32_t status = hbDNNGetInputTensorProperties(&input.properties, shared_model, 0);
    status |= hbDNNGetOutputTensorProperties(&output.properties, shared_model, 0);
    ((float*)memory[0].virAddr)[0] = value;
    status |= hbDNNInferV2(&task, &output, &input, shared_model);
    status |= hbUCPSubmitTask(task, &param);
    status |= hbUCPWaitTaskDone(task, WAIT_MS);
    if (status != 0 || ((float*)memory[1].virAddr)[0] != 2 * value) {
      atomic_fetch_add(&broken_runs, 1);
    }
    if (hbUCPReleaseTask(task) != 0) atomic_fetch_add(&broken_runs, 1);
  }
  for (int i = 0; i < 2; ++i) {
    if (hbUCPFree(&memory[i]) != 0) atomic_fetch_add(&broken_runs, 1);
  }
  return NULL;
}

static void* read_properties(void* argument) {
  (void)argument;
  for (int run = 0; run < 20 * RUNS; ++run) {
    const char** names = NULL;
    const char* name = NULL;
    int32_t count = 0;
    hbDNNTensorProperties properties;
    int32_t status = hbDNNGetModelNameList(&names, &count, shared_packed);
    status |= hbDNNGetInputName(&name, shared_model, 0);
    status |= hbDNNGetOutputTensorProperties(&properties, shared_model, 0);
    if (status != 0 || count != 2 || properties.stride[1] != 4) atomic_fetch_add(&broken_runs, 1);
  }
  return NULL;
}

static void run_threads(void* (*body)(void*)) {
  pthread_t threads[THREADS];
  int numbers[THREADS];
  atomic_store(&broken_runs, 0);
  for (int i = 0; i < THREADS; ++i) {
    numbers[i] = i;
    EXPECT_EQ(pthread_create(&threads[i], NULL, body, &numbers[i]), 0);
  }
  for (int i = 0; i < THREADS; ++i) pthread_join(threads[i], NULL);
  EXPECT_EQ(atomic_load(&broken_runs), 0);
}

static void* wait_for(void* argument) {
  Job* job = argument;
  return (void*)(intptr_t)job_wait(job, WAIT_MS);
}

static void* release_it(void* argument) {
  job_release(argument);
  return NULL;
}

void check_threads(void) {
  shared_packed = load("basic.hbm");
  shared_model = model_of(shared_packed, "double");
  hbDNNPackedHandle_t slow = load("slow.hbm");
  if (shared_model == NULL || slow == NULL) return;
  ROW("5.6", "one model from several threads, each with its own tensors and tasks") {
    run_threads(&run_many);
  }
  ROW("5.6", "property getters from several threads") { run_threads(&read_properties); }
  ROW("5.6", "a task made by one thread is waited for by another") {
    Job job;
    pthread_t waiter;
    void* status = (void*)(intptr_t)-1;
    REQUIRE(job_open(&job, model_of(slow, "slow_200ms"), 0));
    EXPECT_OK(job_infer(&job));
    EXPECT_OK(job_submit(&job, 0, 0, HB_UCP_BPU_CORE_ANY));
    REQUIRE(pthread_create(&waiter, NULL, &wait_for, &job) == 0);
    pthread_join(waiter, &status);
    EXPECT_EQ((intptr_t)status, HB_UCP_SUCCESS);
    job_close(&job);
  }
  ROW("5.6", "a task made by one thread is released by another") {
    Job job;
    pthread_t other;
    REQUIRE(job_open(&job, shared_model, 0));
    EXPECT_OK(job_run(&job));
    REQUIRE(pthread_create(&other, NULL, &release_it, &job) == 0);
    pthread_join(other, NULL);
    EXPECT(job.task == NULL);
    job_close(&job);
  }
  ROW("5.6", "a waiter is woken when another thread releases its task: -200003") {
    Job job;
    Job view;
    pthread_t waiter;
    void* status = NULL;
    REQUIRE(job_open(&job, model_of(slow, "slow_10s"), 0));
    EXPECT_OK(job_infer(&job));
    EXPECT_OK(job_submit(&job, 0, 0, HB_UCP_BPU_CORE_ANY));
    view = job;
    REQUIRE(pthread_create(&waiter, NULL, &wait_for, &view) == 0);
    sleep_ms(50);
    job_release(&job);
    pthread_join(waiter, &status);
    EXPECT_EQ((intptr_t)status, HB_UCP_TASK_RUN_FAILED);
    job_close(&job);
  }
  ROW("5.6", "of two waiters for one task at least one is woken, and none waits for ever") {
    Job job;
    pthread_t waiter;
    void* status = NULL;
    REQUIRE(job_open(&job, model_of(slow, "slow_200ms"), 0));
    EXPECT_OK(job_infer(&job));
    EXPECT_OK(job_submit(&job, 0, 0, HB_UCP_BPU_CORE_ANY));
    REQUIRE(pthread_create(&waiter, NULL, &wait_for, &job) == 0);
    const int64_t start = now_ms();
    const int32_t own = job_wait(&job, 5000);
    EXPECT(now_ms() - start < WAIT_MS);
    pthread_join(waiter, &status);
    EXPECT(own == HB_UCP_SUCCESS || (intptr_t)status == HB_UCP_SUCCESS);
    job_close(&job);
  }
  EXPECT_OK(hbDNNRelease(slow));
  EXPECT_OK(hbDNNRelease(shared_packed));
  not_observable("5.6", "which of two waiters a board wakes", "not documented");
}
