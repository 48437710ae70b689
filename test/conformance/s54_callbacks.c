/* SPDX-License-Identifier: Apache-2.0
 * Section 5.4 of the fact sheet: the callback of a finished task. */
#include <pthread.h>
#include <stdatomic.h>

#include "conformance.h"

typedef struct Record {
  atomic_int calls;
  atomic_int status;
  atomic_int wait_status;
  atomic_int properties_status;
  _Atomic(hbUCPTaskHandle_t) task;
  pthread_t thread; /* valid once calls is 1 */
} Record;

static void note(hbUCPTaskHandle_t task, int32_t status, void* user_data) {
  Record* record = user_data;
  hbDNNTensorProperties properties;
  atomic_store(&record->task, task);
  atomic_store(&record->status, status);
  atomic_store(&record->wait_status, hbUCPWaitTaskDone(task, 1));
  atomic_store(&record->properties_status,
               hbDNNGetTaskOutputTensorProperties(&properties, task, 0, 0));
  record->thread = pthread_self();
  atomic_fetch_add(&record->calls, 1);
}

static bool called(Record* record) {
  for (int64_t end = now_ms() + WAIT_MS; now_ms() < end; sleep_ms(1)) {
    if (atomic_load(&record->calls) > 0) return true;
  }
  return false;
}

static void check_calls(hbDNNHandle_t model, hbDNNHandle_t slow, hbDNNHandle_t failing) {
  ROW("5.4", "called once, with task, status and the user's pointer") {
    Record record = {0};
    Job job;
    REQUIRE(job_open(&job, model, 0));
    EXPECT_OK(job_infer(&job));
    EXPECT_OK(hbUCPSetTaskDoneCb(job.task, &note, &record));
    EXPECT_OK(job_submit(&job, 0, 0, HB_UCP_BPU_CORE_ANY));
    EXPECT_OK(job_wait(&job, WAIT_MS));
    EXPECT(called(&record));
    EXPECT(atomic_load(&record.task) == job.task);
    EXPECT_EQ(atomic_load(&record.status), HB_UCP_SUCCESS);
    job_close(&job); /* drained: no call can come any more */
    EXPECT_EQ(atomic_load(&record.calls), 1);
  }
  ROW("5.4", "called on a thread of the runtime") {
    Record record = {0};
    Job job;
    REQUIRE(job_open(&job, model, 0));
    EXPECT_OK(job_infer(&job));
    EXPECT_OK(hbUCPSetTaskDoneCb(job.task, &note, &record));
    EXPECT_OK(job_submit(&job, 0, 0, HB_UCP_BPU_CORE_ANY));
    REQUIRE(called(&record));
    EXPECT(!pthread_equal(record.thread, pthread_self()));
    job_close(&job);
  }
  ROW("5.4", "called after the task is done: waiting in it returns at once, the outputs are told") {
    Record record = {0};
    Job job;
    REQUIRE(job_open(&job, model, 0));
    EXPECT_OK(job_infer(&job));
    EXPECT_OK(hbUCPSetTaskDoneCb(job.task, &note, &record));
    EXPECT_OK(job_submit(&job, 0, 0, HB_UCP_BPU_CORE_ANY));
    REQUIRE(called(&record));
    EXPECT_OK(atomic_load(&record.wait_status));
    EXPECT_OK(atomic_load(&record.properties_status));
    job_close(&job);
  }
  ROW("5.4", "a failed task calls back with its status") {
    Record record = {0};
    Job job;
    REQUIRE(job_open(&job, failing, 3));
    EXPECT_OK(job_infer(&job));
    EXPECT_OK(hbUCPSetTaskDoneCb(job.task, &note, &record));
    EXPECT_OK(job_submit(&job, 0, 0, HB_UCP_BPU_CORE_ANY));
    EXPECT(called(&record));
    EXPECT_EQ(atomic_load(&record.status), HB_UCP_TASK_RUN_FAILED);
    job_close(&job);
  }
  ROW("5.4", "an expired wait calls nobody back; the end does") {
    Record record = {0};
    Job job;
    REQUIRE(job_open(&job, slow, 0));
    EXPECT_OK(job_infer(&job));
    EXPECT_OK(hbUCPSetTaskDoneCb(job.task, &note, &record));
    EXPECT_OK(job_submit(&job, 0, 0, HB_UCP_BPU_CORE_ANY));
    if (job_wait(&job, 1) == HB_UCP_TASK_TIMEOUT) EXPECT_EQ(atomic_load(&record.calls), 0);
    EXPECT_OK(job_wait(&job, WAIT_MS));
    EXPECT(called(&record));
    job_close(&job);
  }
  ROW("5.4", "no callback after the task's release returned") {
    Record record = {0};
    Job job;
    REQUIRE(job_open(&job, slow, 0));
    EXPECT_OK(job_infer(&job));
    EXPECT_OK(hbUCPSetTaskDoneCb(job.task, &note, &record));
    EXPECT_OK(job_submit(&job, 0, 0, HB_UCP_BPU_CORE_ANY));
    job_release(&job);
    const int calls = atomic_load(&record.calls);
    sleep_ms(300); /* longer than it would have run */
    EXPECT_EQ(atomic_load(&record.calls), calls);
    job_close(&job);
  }
}

void check_callbacks(void) {
  hbDNNPackedHandle_t basic = load("basic.hbm");
  hbDNNPackedHandle_t slow = load("slow.hbm");
  hbDNNPackedHandle_t dynamic = load("dynamic.hbm");
  hbDNNHandle_t model = model_of(basic, "double");
  hbDNNHandle_t long_one = model_of(slow, "slow_200ms");
  hbDNNHandle_t failing = model_of(dynamic, "tight");
  if (model != NULL && long_one != NULL && failing != NULL) check_calls(model, long_one, failing);
  EXPECT_OK(hbDNNRelease(basic));
  EXPECT_OK(hbDNNRelease(slow));
  EXPECT_OK(hbDNNRelease(dynamic));
  not_observable("5.4", "releasing a task in its own callback",
                 "boards do not document it; programs leave it to another thread");
}
