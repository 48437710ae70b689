/* SPDX-License-Identifier: Apache-2.0
 * Section 1 of the fact sheet: each function of a task, and what it refuses. */
#include "conformance.h"

static void check_infer(hbDNNHandle_t model) {
  ROW("1", "InferV2: null outputs, inputs or model: -100001") {
    Job job;
    REQUIRE(job_open(&job, model, 0));
    hbUCPTaskHandle_t task = NULL;
    EXPECT_EQ(hbDNNInferV2(&task, NULL, job.inputs, model), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNInferV2(&task, job.outputs, NULL, model), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNInferV2(&task, job.outputs, job.inputs, NULL), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNInferV2(&task, job.outputs, job.inputs, &task), HB_UCP_INVALID_ARGUMENT);
    EXPECT(task == NULL);
    job_close(&job);
  }
  ROW("1", "InferV2 with a null task is synchronous: the outputs are there when it returns") {
    Job job;
    REQUIRE(job_open(&job, model, 0));
    ((float*)input_data(&job, 0))[1] = 8;
    EXPECT_OK(hbDNNInferV2(NULL, job.outputs, job.inputs, model));
    EXPECT(((const float*)output_data(&job, 0))[1] == 16);
    job_close(&job);
  }
  ROW("1", "InferV2 with *task null makes a task, which does not run before its submission") {
    Job job;
    REQUIRE(job_open(&job, model, 0));
    ((float*)input_data(&job, 0))[0] = 3;
    EXPECT_OK(job_infer(&job));
    EXPECT(job.task != NULL);
    sleep_ms(20);
    EXPECT(((const float*)output_data(&job, 0))[0] == 0);
    EXPECT_OK(job_submit(&job, 0, 0, HB_UCP_BPU_CORE_ANY));
    EXPECT_OK(job_wait(&job, WAIT_MS));
    EXPECT(((const float*)output_data(&job, 0))[0] == 6);
    job_close(&job);
  }
  ROW("1", "InferV2 with an unsubmitted task appends a sub-task to it") {
    Job first;
    Job second;
    REQUIRE(job_open(&first, model, 0) && job_open(&second, model, 0));
    ((float*)input_data(&first, 0))[0] = 1;
    ((float*)input_data(&second, 0))[0] = 2;
    EXPECT_OK(job_infer(&first));
    hbUCPTaskHandle_t task = first.task;
    EXPECT_OK(hbDNNInferV2(&task, second.outputs, second.inputs, model));
    EXPECT(task == first.task);
    EXPECT_OK(job_submit(&first, 0, 0, HB_UCP_BPU_CORE_ANY));
    EXPECT_OK(job_wait(&first, WAIT_MS));
    EXPECT(((const float*)output_data(&first, 0))[0] == 2);
    EXPECT(((const float*)output_data(&second, 0))[0] == 4);
    hbDNNTensorProperties properties;
    EXPECT_OK(hbDNNGetTaskOutputTensorProperties(&properties, task, 1, 0));
    job_close(&first);
    job_close(&second);
  }
  ROW("1", "InferV2 with a submitted, released or foreign task: -200004") {
    Job job;
    REQUIRE(job_open(&job, model, 0));
    hbUCPTaskHandle_t foreign = &job;
    EXPECT_EQ(hbDNNInferV2(&foreign, job.outputs, job.inputs, model), HB_UCP_TASK_HANDLE_INVALID);
    EXPECT_OK(job_infer(&job));
    EXPECT_OK(job_submit(&job, 0, 0, HB_UCP_BPU_CORE_ANY));
    EXPECT_EQ(job_infer(&job), HB_UCP_TASK_HANDLE_INVALID);
    EXPECT_OK(job_wait(&job, WAIT_MS));
    EXPECT_EQ(job_infer(&job), HB_UCP_TASK_HANDLE_INVALID);
    hbUCPTaskHandle_t stale = job.task;
    job_release(&job);
    EXPECT_EQ(hbDNNInferV2(&stale, job.outputs, job.inputs, model), HB_UCP_TASK_HANDLE_INVALID);
    job_close(&job);
  }
}

static void check_output_properties(hbDNNHandle_t model) {
  Job job;
  if (!job_open(&job, model, 0)) return;
  hbDNNTensorProperties properties;
  ROW("1", "GetTaskOutputTensorProperties: null, unknown or unfinished task: -200004") {
    int on_the_stack = 0;
    EXPECT_EQ(hbDNNGetTaskOutputTensorProperties(&properties, NULL, 0, 0),
              HB_UCP_TASK_HANDLE_INVALID);
    EXPECT_EQ(hbDNNGetTaskOutputTensorProperties(&properties, &on_the_stack, 0, 0),
              HB_UCP_TASK_HANDLE_INVALID);
    EXPECT_OK(job_infer(&job));
    EXPECT_EQ(hbDNNGetTaskOutputTensorProperties(&properties, job.task, 0, 0),
              HB_UCP_TASK_HANDLE_INVALID);
  }
  ROW("1", "GetTaskOutputTensorProperties: those of the model when its outputs are static") {
    EXPECT_OK(job_submit(&job, 0, 0, HB_UCP_BPU_CORE_ANY));
    EXPECT_OK(job_wait(&job, WAIT_MS));
    memset(&properties, 0, sizeof(properties));
    EXPECT_OK(hbDNNGetTaskOutputTensorProperties(&properties, job.task, 0, 0));
    EXPECT(memcmp(&properties, &job.outputs[0].properties, sizeof(properties)) == 0);
  }
  ROW("1", "GetTaskOutputTensorProperties: null properties: -100001") {
    EXPECT_EQ(hbDNNGetTaskOutputTensorProperties(NULL, job.task, 0, 0), HB_UCP_INVALID_ARGUMENT);
  }
  ROW("1", "GetTaskOutputTensorProperties: no such sub-task or output: an error") {
    EXPECT_REFUSED(hbDNNGetTaskOutputTensorProperties(&properties, job.task, 1, 0));
    EXPECT_REFUSED(hbDNNGetTaskOutputTensorProperties(&properties, job.task, -1, 0));
    EXPECT_REFUSED(hbDNNGetTaskOutputTensorProperties(&properties, job.task, 0, 1));
    EXPECT_REFUSED(hbDNNGetTaskOutputTensorProperties(&properties, job.task, 0, -1));
  }
  ROW("1", "GetTaskOutputTensorProperties: after release: -200004") {
    hbUCPTaskHandle_t stale = job.task;
    job_release(&job);
    EXPECT_EQ(hbDNNGetTaskOutputTensorProperties(&properties, stale, 0, 0),
              HB_UCP_TASK_HANDLE_INVALID);
  }
  job_close(&job);
}

static void check_failed_task(void) {
  not_observable("1", "GetTaskOutputTensorProperties of a task that is no model's",
                 "it would be an image's or a DSP's; the simulator has models alone");
  hbDNNPackedHandle_t packed = load("dynamic.hbm");
  Job job;
  if (!job_open(&job, model_of(packed, "tight"), 3)) return;
  EXPECT_OK(job_infer(&job));
  EXPECT_OK(job_submit(&job, 0, 0, HB_UCP_BPU_CORE_ANY));
  ROW("1", "WaitTaskDone gives a failed task's status: -200003") {
    EXPECT_EQ(job_wait(&job, WAIT_MS), HB_UCP_TASK_RUN_FAILED);
    EXPECT_EQ(job_wait(&job, WAIT_MS), HB_UCP_TASK_RUN_FAILED);
  }
  ROW("1", "GetTaskOutputTensorProperties of a failed task: -200004") {
    hbDNNTensorProperties properties;
    EXPECT_EQ(hbDNNGetTaskOutputTensorProperties(&properties, job.task, 0, 0),
              HB_UCP_TASK_HANDLE_INVALID);
  }
  job_close(&job);
  EXPECT_OK(hbDNNRelease(packed));
}

static void check_submit(hbDNNHandle_t model) {
  Job job;
  hbUCPSchedParam param;
  HB_UCP_INITIALIZE_SCHED_PARAM(&param);
  ROW("1", "SubmitTask: null or unknown task: -200004") {
    int on_the_stack = 0;
    EXPECT_EQ(hbUCPSubmitTask(NULL, &param), HB_UCP_TASK_HANDLE_INVALID);
    EXPECT_EQ(hbUCPSubmitTask(&on_the_stack, &param), HB_UCP_TASK_HANDLE_INVALID);
  }
  if (!job_open(&job, model, 0)) return;
  EXPECT_OK(job_infer(&job));
  ROW("1", "SubmitTask: null parameter: -100001, and the task can be submitted afterwards") {
    EXPECT_EQ(hbUCPSubmitTask(job.task, NULL), HB_UCP_INVALID_ARGUMENT);
  }
  ROW("1", "SubmitTask: a priority outside of [0, 255]: -100001") {
    EXPECT_EQ(job_submit(&job, -1, 0, HB_UCP_BPU_CORE_ANY), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(job_submit(&job, 256, 0, HB_UCP_BPU_CORE_ANY), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(job_submit(&job, INT32_MIN, 0, HB_UCP_BPU_CORE_ANY), HB_UCP_INVALID_ARGUMENT);
  }
  ROW("1", "SubmitTask: a backend without any known bit: -100001") {
    EXPECT_EQ(job_submit(&job, 0, 0, 1ULL << 63), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(job_submit(&job, 0, 0, 1ULL << 4), HB_UCP_INVALID_ARGUMENT);
  }
  ROW("1", "SubmitTask copies its 32 bytes: they may change afterwards") {
    param.backend = HB_UCP_BPU_CORE_ANY;
    EXPECT_OK(hbUCPSubmitTask(job.task, &param));
    memset(&param, 0xFF, sizeof(param));
    EXPECT_OK(job_wait(&job, WAIT_MS));
  }
  ROW("1", "SubmitTask: a task that was submitted before: -100002") {
    EXPECT_EQ(job_submit(&job, 0, 0, HB_UCP_BPU_CORE_ANY), HB_UCP_API_USE_ERROR);
  }
  job_close(&job);
}

static void check_wait(hbDNNHandle_t quick) {
  hbDNNPackedHandle_t packed = load("slow.hbm");
  ROW("1", "SubmitTask is asynchronous: it returns before a long task is done") {
    Job job;
    REQUIRE(job_open(&job, model_of(packed, "slow_10s"), 0));
    EXPECT_OK(job_infer(&job));
    const int64_t start = now_ms();
    EXPECT_OK(job_submit(&job, 0, 0, HB_UCP_BPU_CORE_ANY));
    EXPECT(now_ms() - start < 10000);
    EXPECT_EQ(job_wait(&job, 1), HB_UCP_TASK_TIMEOUT);
    job_close(&job);
  }
  ROW("1", "WaitTaskDone: null, unknown or unsubmitted: -200004") {
    int on_the_stack = 0;
    Job job;
    EXPECT_EQ(hbUCPWaitTaskDone(NULL, 1), HB_UCP_TASK_HANDLE_INVALID);
    EXPECT_EQ(hbUCPWaitTaskDone(&on_the_stack, 1), HB_UCP_TASK_HANDLE_INVALID);
    REQUIRE(job_open(&job, quick, 0));
    EXPECT_OK(job_infer(&job));
    EXPECT_EQ(job_wait(&job, 1), HB_UCP_TASK_HANDLE_INVALID);
    EXPECT_EQ(job_wait(&job, 0), HB_UCP_TASK_HANDLE_INVALID);
    job_close(&job);
  }
  ROW("1", "WaitTaskDone: an expired wait gives -200002 not before its time; the task goes on") {
    Job job;
    REQUIRE(job_open(&job, model_of(packed, "slow_200ms"), 0));
    ((float*)input_data(&job, 0))[0] = 1;
    EXPECT_OK(job_infer(&job));
    EXPECT_OK(job_submit(&job, 0, 0, HB_UCP_BPU_CORE_ANY));
    const int64_t start = now_ms();
    EXPECT_EQ(job_wait(&job, 20), HB_UCP_TASK_TIMEOUT);
    EXPECT(now_ms() - start >= 19);
    EXPECT_OK(job_wait(&job, WAIT_MS));
    EXPECT(((const float*)output_data(&job, 0))[0] == 2);
    job_close(&job);
  }
  ROW("1", "WaitTaskDone: 0 and negative times wait for ever") {
    for (int32_t timeout_ms = 0; timeout_ms >= -1; --timeout_ms) {
      Job job;
      if (!job_open(&job, model_of(packed, "slow_200ms"), 0)) continue;
      EXPECT_OK(job_infer(&job));
      EXPECT_OK(job_submit(&job, 0, 0, HB_UCP_BPU_CORE_ANY));
      EXPECT_OK(job_wait(&job, timeout_ms));
      job_close(&job);
    }
  }
  ROW("1", "WaitTaskDone of a finished task gives its status at once, again and again") {
    Job job;
    REQUIRE(job_open(&job, quick, 0));
    EXPECT_OK(job_run(&job));
    EXPECT_OK(job_wait(&job, 0));
    EXPECT_OK(job_wait(&job, 1));
    job_close(&job);
  }
  EXPECT_OK(hbDNNRelease(packed));
}

static void check_release(hbDNNHandle_t quick) {
  hbDNNPackedHandle_t packed = load("slow.hbm");
  ROW("1", "ReleaseTask: null, unknown or released: -200004") {
    int on_the_stack = 0;
    Job job;
    EXPECT_EQ(hbUCPReleaseTask(NULL), HB_UCP_TASK_HANDLE_INVALID);
    EXPECT_EQ(hbUCPReleaseTask(&on_the_stack), HB_UCP_TASK_HANDLE_INVALID);
    REQUIRE(job_open(&job, quick, 0));
    EXPECT_OK(job_infer(&job));
    hbUCPTaskHandle_t stale = job.task;
    job_release(&job);
    EXPECT_EQ(hbUCPReleaseTask(stale), HB_UCP_TASK_HANDLE_INVALID);
    job_close(&job);
  }
  ROW("1", "ReleaseTask of an unsubmitted task frees it and its model") {
    Job job;
    hbDNNPackedHandle_t own = load("basic.hbm");
    REQUIRE(job_open(&job, model_of(own, "double"), 0));
    EXPECT_OK(job_infer(&job));
    EXPECT_OK(hbUCPReleaseTask(job.task));
    job.task = NULL;
    EXPECT_OK(hbDNNRelease(own));
    job_close(&job);
  }
  ROW("1", "ReleaseTask of a running task cancels it and waits until the device let go") {
    Job job;
    REQUIRE(job_open(&job, model_of(packed, "slow_10s"), 0));
    EXPECT_OK(job_infer(&job));
    EXPECT_OK(job_submit(&job, 0, 0, HB_UCP_BPU_CORE_ANY));
    sleep_ms(30);
    const int64_t start = now_ms();
    EXPECT_OK(hbUCPReleaseTask(job.task));
    EXPECT(now_ms() - start < 9000); /* not the 10 s that it would have run */
    job.task = NULL;
    EXPECT_OK(hbDNNRelease(packed)); /* in use: -600003 */
    packed = NULL;
    job_close(&job);
  }
  if (packed == NULL) packed = load("slow.hbm");
  ROW("1", "ReleaseTask of a queued task: it never runs") {
    Job running;
    Job queued;
    REQUIRE(job_open(&running, model_of(packed, "slow_200ms"), 0));
    REQUIRE(job_open(&queued, quick, 0));
    ((float*)input_data(&queued, 0))[0] = 9;
    EXPECT_OK(job_infer(&running));
    EXPECT_OK(job_infer(&queued));
    EXPECT_OK(job_submit(&running, 0, 0, HB_UCP_BPU_CORE_0));
    EXPECT_OK(job_submit(&queued, 0, 0, HB_UCP_BPU_CORE_0));
    job_release(&queued);
    EXPECT_OK(job_wait(&running, WAIT_MS));
    EXPECT(((const float*)output_data(&queued, 0))[0] == 0);
    job_close(&queued);
    job_close(&running);
  }
  EXPECT_OK(hbDNNRelease(packed));
}

static void nothing(hbUCPTaskHandle_t task, int32_t status, void* user_data) {
  (void)task;
  (void)status;
  (void)user_data;
}

static void check_set_callback(hbDNNHandle_t quick) {
  ROW("1", "SetTaskDoneCb: null callback: -100001; null or unknown task: -200004") {
    int on_the_stack = 0;
    Job job;
    REQUIRE(job_open(&job, quick, 0));
    EXPECT_OK(job_infer(&job));
    EXPECT_EQ(hbUCPSetTaskDoneCb(job.task, NULL, NULL), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbUCPSetTaskDoneCb(NULL, &nothing, NULL), HB_UCP_TASK_HANDLE_INVALID);
    EXPECT_EQ(hbUCPSetTaskDoneCb(&on_the_stack, &nothing, NULL), HB_UCP_TASK_HANDLE_INVALID);
    job_close(&job);
  }
  ROW("1", "SetTaskDoneCb: only before the submission; afterwards -200004") {
    Job job;
    REQUIRE(job_open(&job, quick, 0));
    EXPECT_OK(job_infer(&job));
    EXPECT_OK(hbUCPSetTaskDoneCb(job.task, &nothing, NULL));
    EXPECT_OK(job_submit(&job, 0, 0, HB_UCP_BPU_CORE_ANY));
    EXPECT_EQ(hbUCPSetTaskDoneCb(job.task, &nothing, NULL), HB_UCP_TASK_HANDLE_INVALID);
    EXPECT_OK(job_wait(&job, WAIT_MS));
    EXPECT_EQ(hbUCPSetTaskDoneCb(job.task, &nothing, NULL), HB_UCP_TASK_HANDLE_INVALID);
    job_close(&job);
  }
}

void check_tasks(void) {
  hbDNNPackedHandle_t packed = load("basic.hbm");
  hbDNNHandle_t model = model_of(packed, "double");
  if (model == NULL) return;
  check_infer(model);
  check_output_properties(model);
  check_failed_task();
  check_submit(model);
  check_wait(model);
  check_release(model);
  check_set_callback(model);
  EXPECT_OK(hbDNNRelease(packed));
}
