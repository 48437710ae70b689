/* SPDX-License-Identifier: Apache-2.0
 * Section 5.5 of the fact sheet: the queue's order, and preemption at function-call boundaries. */
#include <stdatomic.h>

#include "conformance.h"

enum { MOST = 8 };

/* The order in which jobs end on one core: each callback takes the next place. */
static atomic_int next_place;
static atomic_int places[MOST];

static void take_place(hbUCPTaskHandle_t task, int32_t status, void* user_data) {
  (void)task;
  if (status == HB_UCP_SUCCESS) {
    atomic_store((atomic_int*)user_data, atomic_fetch_add(&next_place, 1));
  }
}

typedef struct Submission {
  int32_t priority;
  int64_t custom_id;
} Submission;

/* Puts jobs behind a busy core 0 and tells the place at which each one ended; -1: not at all. */
static bool run_behind(hbDNNHandle_t blocker, hbDNNHandle_t model, const Submission* wanted,
                       int count, int* ended) {
  Job busy;
  Job jobs[MOST];
  bool good = job_open(&busy, blocker, 0);
  for (int i = 0; i < count; ++i) good = job_open(&jobs[i], model, 0) && good;
  atomic_store(&next_place, 0);
  good = good && EXPECT_OK(job_infer(&busy)) &&
         EXPECT_OK(job_submit(&busy, 253, 0, HB_UCP_BPU_CORE_0));
  sleep_ms(30); /* so that it has begun; were it not so, its priority would keep it first */
  for (int i = 0; good && i < count; ++i) {
    atomic_store(&places[i], -1);
    good =
        EXPECT_OK(job_infer(&jobs[i])) &&
        EXPECT_OK(hbUCPSetTaskDoneCb(jobs[i].task, &take_place, &places[i])) &&
        EXPECT_OK(job_submit(&jobs[i], wanted[i].priority, wanted[i].custom_id, HB_UCP_BPU_CORE_0));
  }
  /* The whole queue must have been there before the first of it ran. */
  good = good && EXPECT_EQ(job_wait(&busy, 1), HB_UCP_TASK_TIMEOUT);
  for (int i = 0; good && i < count; ++i) good = EXPECT_OK(job_wait(&jobs[i], WAIT_MS));
  job_close(&busy);
  for (int i = 0; i < count; ++i) job_close(&jobs[i]); /* waits for a callback that runs */
  for (int i = 0; i < count; ++i) ended[i] = atomic_load(&places[i]);
  return good;
}

void check_queue(void) {
  hbDNNPackedHandle_t packed = load("calls.hbm");
  hbDNNHandle_t blocker = model_of(packed, "whole");
  hbDNNHandle_t quick = model_of(packed, "quick");
  int ended[MOST];
  if (blocker == NULL || quick == NULL) return;
  ROW("5.5", "higher priorities run first") {
    static const Submission kWanted[] = {{0, 0}, {100, 0}, {253, 0}, {1, 0}};
    REQUIRE(run_behind(blocker, quick, kWanted, 4, ended));
    EXPECT_EQ(ended[2], 0);
    EXPECT_EQ(ended[1], 1);
    EXPECT_EQ(ended[3], 2);
    EXPECT_EQ(ended[0], 3);
  }
  ROW("5.5", "equal priorities: the smaller custom id first, negative ones included") {
    static const Submission kWanted[] = {{7, 50}, {7, INT64_MIN}, {7, 2}, {7, INT64_MAX}, {7, -1}};
    REQUIRE(run_behind(blocker, quick, kWanted, 5, ended));
    EXPECT_EQ(ended[1], 0);
    EXPECT_EQ(ended[4], 1);
    EXPECT_EQ(ended[2], 2);
    EXPECT_EQ(ended[0], 3);
    EXPECT_EQ(ended[3], 4);
  }
  ROW("5.5", "priority goes before custom id") {
    static const Submission kWanted[] = {{1, 1}, {2, 9}};
    REQUIRE(run_behind(blocker, quick, kWanted, 2, ended));
    EXPECT_EQ(ended[1], 0);
    EXPECT_EQ(ended[0], 1);
  }
  ROW("5.5", "full ties: in the order of submission") {
    static const Submission kWanted[] = {{5, 5}, {5, 5}, {5, 5}, {5, 5}, {5, 5}, {5, 5}};
    REQUIRE(run_behind(blocker, quick, kWanted, 6, ended));
    for (int i = 0; i < 6; ++i) EXPECT_EQ(ended[i], i);
  }
  ROW("5.5", "254 and 255 are first in the queue, too") {
    static const Submission kWanted[] = {{253, 0}, {254, 0}, {255, 0}};
    REQUIRE(run_behind(blocker, quick, kWanted, 3, ended));
    EXPECT_EQ(ended[2], 0);
    EXPECT_EQ(ended[1], 1);
    EXPECT_EQ(ended[0], 2);
  }
  EXPECT_OK(hbDNNRelease(packed));
  not_observable("5.5", "relay mode: one order for several processes",
                 "the service that it needs is a board's");
}

/* Whether a short job overtakes a long one that runs on the only core that both may use. */
static bool overtakes(hbDNNHandle_t running, int32_t its_priority, hbDNNHandle_t quick,
                      int32_t priority, bool* result) {
  Job first;
  Job second;
  bool good = job_open(&first, running, 0);
  good = job_open(&second, quick, 0) && good;
  ((float*)input_data(&first, 0))[0] = 1;
  ((float*)input_data(&second, 0))[0] = 2;
  good = good && EXPECT_OK(job_infer(&first)) && EXPECT_OK(job_infer(&second)) &&
         EXPECT_OK(job_submit(&first, its_priority, 9, HB_UCP_BPU_CORE_0));
  sleep_ms(60); /* a tenth of what it runs */
  good = good && EXPECT_EQ(job_wait(&first, 1), HB_UCP_TASK_TIMEOUT) &&
         EXPECT_OK(job_submit(&second, priority, 0, HB_UCP_BPU_CORE_0)) &&
         EXPECT_OK(job_wait(&second, WAIT_MS));
  if (good) *result = job_wait(&first, 1) == HB_UCP_TASK_TIMEOUT;
  /* The one that was interrupted goes on and computes the right result. */
  good = good && EXPECT_OK(job_wait(&first, WAIT_MS)) &&
         EXPECT(((const float*)output_data(&first, 0))[0] == 2) &&
         EXPECT(((const float*)output_data(&second, 0))[0] == 4);
  job_close(&second);
  job_close(&first);
  return good;
}

void check_preemption(void) {
  hbDNNPackedHandle_t packed = load("calls.hbm");
  hbDNNHandle_t cut = model_of(packed, "cut");
  hbDNNHandle_t whole = model_of(packed, "whole");
  hbDNNHandle_t quick = model_of(packed, "quick");
  bool overtook = false;
  if (cut == NULL || whole == NULL || quick == NULL) return;
  ROW("5.5", "254 preempts 253 at the next boundary of function calls") {
    REQUIRE(overtakes(cut, 253, quick, 254, &overtook));
    EXPECT(overtook);
  }
  ROW("5.5", "255 preempts 254") {
    REQUIRE(overtakes(cut, 254, quick, 255, &overtook));
    EXPECT(overtook);
  }
  ROW("5.5", "255 preempts 0") {
    REQUIRE(overtakes(cut, 0, quick, 255, &overtook));
    EXPECT(overtook);
  }
  ROW("5.5", "254 does not preempt 254, nor 255 another 255, whatever the custom ids") {
    REQUIRE(overtakes(cut, 254, quick, 254, &overtook));
    EXPECT(!overtook);
    REQUIRE(overtakes(cut, 255, quick, 255, &overtook));
    EXPECT(!overtook);
  }
  ROW("5.5", "0 to 253 only queue: 253 does not preempt 0") {
    REQUIRE(overtakes(cut, 0, quick, 253, &overtook));
    EXPECT(!overtook);
  }
  ROW("5.5", "a model compiled without function-call boundaries is not preempted") {
    REQUIRE(overtakes(whole, 0, quick, 255, &overtook));
    EXPECT(!overtook);
  }
  ROW("5.5", "a model of several function calls computes what the whole one does") {
    Job job;
    REQUIRE(job_open(&job, model_of(packed, "chained"), 0));
    for (int i = 0; i < 4; ++i) ((float*)input_data(&job, 0))[i] = (float)i;
    EXPECT_OK(job_run(&job));
    for (int i = 0; i < 4; ++i) {
      EXPECT(((const float*)output_data(&job, 0))[i] == (float)(4 * i));
    }
    job_close(&job);
  }
  ROW("5.5", "a preempted task can be released: it is cancelled and never goes on") {
    Job first;
    Job second;
    REQUIRE(job_open(&first, cut, 0) && job_open(&second, cut, 0));
    EXPECT_OK(job_infer(&first));
    EXPECT_OK(job_infer(&second));
    EXPECT_OK(job_submit(&first, 0, 0, HB_UCP_BPU_CORE_0));
    sleep_ms(60);
    EXPECT_OK(job_submit(&second, 255, 0, HB_UCP_BPU_CORE_0));
    sleep_ms(120); /* the second one holds the core now */
    job_release(&first);
    EXPECT_OK(job_wait(&second, WAIT_MS));
    job_close(&first);
    job_close(&second);
  }
  EXPECT_OK(hbDNNRelease(packed));
  not_observable("5.5", "whether 255 ends the running function call itself",
                 "the sources differ; here it waits for the boundary, as 254 does");
}

/* In a process with HB_DNN_USER_DEFINED_L2M_SIZES set. */
void check_preemption_with_l2m(void) {
  hbDNNPackedHandle_t packed = load("calls.hbm");
  hbDNNHandle_t cut = model_of(packed, "cut");
  hbDNNHandle_t quick = model_of(packed, "quick");
  bool overtook = false;
  if (cut == NULL || quick == NULL) return;
  ROW("5.5", "there is no preemption when L2M is used") {
    REQUIRE(overtakes(cut, 0, quick, 255, &overtook));
    EXPECT(!overtook);
  }
  EXPECT_OK(hbDNNRelease(packed));
}
