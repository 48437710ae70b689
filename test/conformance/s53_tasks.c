/* SPDX-License-Identifier: Apache-2.0
 * Section 5.3 of the fact sheet: the life of a task, and how many there may be. */
#include "conformance.h"

void check_task_life(void) {
  hbDNNPackedHandle_t packed = load("basic.hbm");
  hbDNNHandle_t model = model_of(packed, "double");
  Job job;
  if (model == NULL || !job_open(&job, model, 0)) return;
  ROW("5.3", "infer, submit, wait, flush, properties, release: in this order all succeed") {
    hbDNNTensorProperties properties;
    EXPECT_OK(job_run(&job));
    EXPECT_OK(hbDNNGetTaskOutputTensorProperties(&properties, job.task, 0, 0));
    job_release(&job);
  }
  ROW("5.3", "a task is used once: submitted again after it is done, -100002") {
    EXPECT_OK(job_run(&job));
    EXPECT_EQ(job_submit(&job, 0, 0, HB_UCP_BPU_CORE_ANY), HB_UCP_API_USE_ERROR);
    EXPECT_OK(job_wait(&job, WAIT_MS));
    job_release(&job);
  }
  ROW("5.3", "a failed submission does not free the task: it must be released, or retried") {
    EXPECT_OK(job_infer(&job));
    EXPECT_EQ(job_submit(&job, 999, 0, HB_UCP_BPU_CORE_ANY), HB_UCP_INVALID_ARGUMENT);
    EXPECT_OK(job_submit(&job, 9, 0, HB_UCP_BPU_CORE_ANY));
    EXPECT_OK(job_wait(&job, WAIT_MS));
    job_release(&job);
    EXPECT_OK(job_infer(&job));
    EXPECT_EQ(job_submit(&job, 999, 0, HB_UCP_BPU_CORE_ANY), HB_UCP_INVALID_ARGUMENT);
    EXPECT_OK(hbUCPReleaseTask(job.task));
    job.task = NULL;
  }
  ROW("5.3", "the same tensors serve task after task") {
    for (int i = 0; i < 100; ++i) {
      ((float*)input_data(&job, 0))[0] = (float)i;
      EXPECT_OK(job_run(&job));
      EXPECT(((const float*)output_data(&job, 0))[0] == (float)(2 * i));
      job_release(&job);
    }
  }
  ROW("5.3", "InferV2 takes the tensor structs by value: they may change before the task runs") {
    hbDNNTensor input = job.inputs[0];
    hbDNNTensor output = job.outputs[0];
    ((float*)input_data(&job, 0))[0] = 30;
    EXPECT_OK(hbDNNInferV2(&job.task, &output, &input, model));
    memset(&input, 0xEE, sizeof(input));
    memset(&output, 0xEE, sizeof(output));
    EXPECT_OK(job_submit(&job, 0, 0, HB_UCP_BPU_CORE_ANY));
    EXPECT_OK(job_wait(&job, WAIT_MS));
    EXPECT(((const float*)output_data(&job, 0))[0] == 60);
    job_release(&job);
  }
  job_close(&job);
  EXPECT_OK(hbDNNRelease(packed));
  not_observable("5.3", "the driver's quota of about 2048/(inputs+outputs) tasks",
                 "a limit of the board's driver");
}

void check_task_limit(void) {
  enum { MOST = 64 };
  static Job jobs[MOST];
  hbDNNPackedHandle_t packed = load("basic.hbm");
  hbDNNHandle_t model = model_of(packed, "double");
  const int limit = expected_task_limit();
  if (model == NULL) return;
  ROW("5.3", "so many tasks may live: 32, or HB_UCP_MAX_TASK_NUM; one more: -200001") {
    for (int i = 0; i < limit; ++i) {
      if (!job_open(&jobs[i], model, 0)) break;
      EXPECT_OK(job_infer(&jobs[i]));
    }
    EXPECT(job_open(&jobs[limit], model, 0));
    EXPECT_EQ(job_infer(&jobs[limit]), HB_UCP_TASK_NUMBER_EXCEED_LIMIT);
    EXPECT(jobs[limit].task == NULL);
  }
  ROW("5.3", "finished tasks count until they are released") {
    EXPECT_OK(job_submit(&jobs[0], 0, 0, HB_UCP_BPU_CORE_ANY));
    EXPECT_OK(job_wait(&jobs[0], WAIT_MS));
    EXPECT_EQ(job_infer(&jobs[limit]), HB_UCP_TASK_NUMBER_EXCEED_LIMIT);
    job_release(&jobs[0]);
    EXPECT_OK(job_infer(&jobs[limit]));
  }
  ROW("5.3", "a refused InferV2 takes no place") {
    job_release(&jobs[limit]);
    for (int i = 0; i < 2 * limit; ++i) {
      hbUCPTaskHandle_t task = NULL;
      EXPECT_REFUSED(hbDNNInferV2(&task, NULL, jobs[limit].inputs, model));
    }
    EXPECT_OK(job_infer(&jobs[limit]));
  }
  for (int i = 0; i <= limit; ++i) job_close(&jobs[i]);
  EXPECT_OK(hbDNNRelease(packed));
}
