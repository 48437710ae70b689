/* SPDX-License-Identifier: Apache-2.0
 * Models from the suite's folder, and jobs: tensors in device memory with a task on them. */
#include <stdlib.h>
#include <time.h>

#include "conformance.h"

const char* model_path(const char* file) {
  static char path[4096];
  snprintf(path, sizeof(path), "%s/%s", getenv("HBM_CONFORMANCE_MODELS"), file);
  return path;
}

const char* chip(void) {
  const char* text = getenv("HBM_SIM_SOC");
  return text != NULL ? text : "S600";
}

int64_t chip_pitch(void) { return strcmp(chip(), "S600") == 0 ? 64 : 32; }

int expected_task_limit(void) {
  const char* text = getenv("HBM_CONFORMANCE_TASK_LIMIT");
  return text != NULL ? atoi(text) : 32;
}

hbDNNPackedHandle_t load(const char* file) {
  hbDNNPackedHandle_t packed = NULL;
  const char* path = model_path(file);
  EXPECT_OK(hbDNNInitializeFromFiles(&packed, &path, 1));
  return packed;
}

hbDNNHandle_t model_of(hbDNNPackedHandle_t packed, const char* name) {
  hbDNNHandle_t model = NULL;
  EXPECT_OK(hbDNNGetModelHandle(&model, packed, name));
  return model;
}

void fill_strides(hbDNNTensorProperties* properties, int64_t pitch) {
  int64_t inner = 0;
  for (int32_t i = properties->validShape.numDimensions - 1; i >= 0; --i) {
    if (properties->stride[i] == -1) {
      properties->stride[i] = (inner + pitch - 1) / pitch * pitch;
    }
    inner = properties->stride[i] * properties->validShape.dimensionSize[i];
  }
  if (properties->alignedByteSize == -1) properties->alignedByteSize = inner;
}

static bool open_tensor(hbDNNTensor* tensor, int32_t dynamic_dim, bool input) {
  hbDNNTensorProperties* properties = &tensor->properties;
  for (int32_t i = 0; input && i < properties->validShape.numDimensions; ++i) {
    int32_t* dim = &properties->validShape.dimensionSize[i];
    if (*dim == -1) *dim = dynamic_dim;
  }
  if (input) fill_strides(properties, chip_pitch());
  if (!EXPECT(properties->alignedByteSize > 0)) return false;
  const uint64_t size = (uint64_t)properties->alignedByteSize;
  if (!EXPECT_OK(hbUCPMallocCached(&tensor->sysMem, size, 0))) return false;
  memset(tensor->sysMem.virAddr, 0, size);
  return true;
}

bool job_open(Job* job, hbDNNHandle_t model, int32_t dynamic_dim) {
  memset(job, 0, sizeof(*job));
  job->model = model;
  if (!EXPECT_OK(hbDNNGetInputCount(&job->input_count, model)) ||
      !EXPECT_OK(hbDNNGetOutputCount(&job->output_count, model)) ||
      !EXPECT(job->input_count <= MAX_TENSORS && job->output_count <= MAX_TENSORS)) {
    job->input_count = job->output_count = 0;
    return false;
  }
  bool good = true;
  for (int32_t i = 0; good && i < job->input_count; ++i) {
    good = EXPECT_OK(hbDNNGetInputTensorProperties(&job->inputs[i].properties, model, i)) &&
           open_tensor(&job->inputs[i], dynamic_dim, true);
  }
  for (int32_t i = 0; good && i < job->output_count; ++i) {
    good = EXPECT_OK(hbDNNGetOutputTensorProperties(&job->outputs[i].properties, model, i)) &&
           open_tensor(&job->outputs[i], dynamic_dim, false);
  }
  if (!good) job_close(job);
  return good;
}

int32_t job_infer(Job* job) {
  return hbDNNInferV2(&job->task, job->outputs, job->inputs, job->model);
}

int32_t job_submit(const Job* job, int32_t priority, int64_t custom_id, uint64_t backend) {
  hbUCPSchedParam param;
  HB_UCP_INITIALIZE_SCHED_PARAM(&param);
  param.priority = priority;
  param.customId = custom_id;
  param.backend = backend;
  return hbUCPSubmitTask(job->task, &param);
}

int32_t job_wait(const Job* job, int32_t timeout_ms) {
  return hbUCPWaitTaskDone(job->task, timeout_ms);
}

int32_t job_run(Job* job) {
  int32_t status = HB_UCP_SUCCESS;
  for (int32_t i = 0; status == HB_UCP_SUCCESS && i < job->input_count; ++i) {
    status = hbUCPMemFlush(&job->inputs[i].sysMem, HB_SYS_MEM_CACHE_CLEAN);
  }
  if (status == HB_UCP_SUCCESS) status = job_infer(job);
  if (status == HB_UCP_SUCCESS) status = job_submit(job, 0, 0, HB_UCP_BPU_CORE_ANY);
  if (status == HB_UCP_SUCCESS) status = job_wait(job, WAIT_MS);
  for (int32_t i = 0; status == HB_UCP_SUCCESS && i < job->output_count; ++i) {
    status = hbUCPMemFlush(&job->outputs[i].sysMem, HB_SYS_MEM_CACHE_INVALIDATE);
  }
  return status;
}

void job_release(Job* job) {
  if (job->task != NULL) EXPECT_OK(hbUCPReleaseTask(job->task));
  job->task = NULL;
}

void job_close(Job* job) {
  job_release(job);
  for (int32_t i = 0; i < job->input_count; ++i) {
    if (job->inputs[i].sysMem.virAddr != NULL) EXPECT_OK(hbUCPFree(&job->inputs[i].sysMem));
  }
  for (int32_t i = 0; i < job->output_count; ++i) {
    if (job->outputs[i].sysMem.virAddr != NULL) EXPECT_OK(hbUCPFree(&job->outputs[i].sysMem));
  }
}

void* input_data(const Job* job, int32_t index) { return job->inputs[index].sysMem.virAddr; }

const void* output_data(const Job* job, int32_t index) {
  return job->outputs[index].sysMem.virAddr;
}

void sleep_ms(int milliseconds) {
  struct timespec left = {milliseconds / 1000, (milliseconds % 1000) * 1000000L};
  while (nanosleep(&left, &left) != 0) {
  }
}

int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
