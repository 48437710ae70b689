/* SPDX-License-Identifier: Apache-2.0
 * Loads a model through the accelerator's C ABI, runs it, prints its outputs, and shows priorities.
 *
 * The same source runs on a board and on the simulator:
 *
 *   eval "$(hbm sim env)"
 *   cc run_model.c -ldnn -lhbucp -o run_model
 *   ./run_model model.hbm
 */
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hobot/dnn/hb_dnn.h"
#include "hobot/dnn/hb_dnn_status.h"
#include "hobot/hb_ucp.h"
#include "hobot/hb_ucp_status.h"

enum { MAX_TENSORS = 16, JOBS = 4, PITCH = 64 }; /* PITCH: bytes, good on every chip */

#define CHECK(call) check((call), #call)

static void check(int32_t status, const char* call) {
  if (status == HB_UCP_SUCCESS) return;
  fprintf(stderr, "%s: %d, %s\n", call, status, hbUCPGetErrorDesc(status));
  exit(1);
}

/* The tensors of one inference, and its task. */
typedef struct Job {
  hbDNNTensor inputs[MAX_TENSORS];
  hbDNNTensor outputs[MAX_TENSORS];
  hbUCPTaskHandle_t task;
} Job;

static int32_t input_count;
static int32_t output_count;

/* Bytes of an element; 4-bit types share a byte. */
static int64_t element_size(int32_t type) {
  static const int64_t sizes[HB_DNN_TENSOR_TYPE_MAX] = {1, 1, 1, 1, 2, 2, 2, 4, 4, 4, 8, 8, 8, 1};
  return sizes[type];
}

/* A dynamic stride is the caller's: from inner to outer, what lies inside, rounded up. */
static void fill_strides(hbDNNTensorProperties* properties) {
  int64_t inner = element_size(properties->tensorType);
  for (int32_t i = properties->validShape.numDimensions - 1; i >= 0; --i) {
    if (properties->validShape.dimensionSize[i] < 0) {
      fprintf(stderr, "this example does not choose dynamic shapes\n");
      exit(1);
    }
    if (properties->stride[i] < 0) properties->stride[i] = (inner + PITCH - 1) / PITCH * PITCH;
    inner = properties->stride[i] * properties->validShape.dimensionSize[i];
  }
  if (properties->alignedByteSize < 0) properties->alignedByteSize = inner;
}

static void open_job(Job* job, hbDNNHandle_t model) {
  memset(job, 0, sizeof(*job));
  for (int32_t i = 0; i < input_count; ++i) {
    hbDNNTensor* input = &job->inputs[i];
    CHECK(hbDNNGetInputTensorProperties(&input->properties, model, i));
    fill_strides(&input->properties);
    CHECK(hbUCPMallocCached(&input->sysMem, (uint64_t)input->properties.alignedByteSize, 0));
    memset(input->sysMem.virAddr, 0, input->sysMem.memSize);
    CHECK(hbUCPMemFlush(&input->sysMem, HB_SYS_MEM_CACHE_CLEAN));
  }
  for (int32_t i = 0; i < output_count; ++i) {
    hbDNNTensor* output = &job->outputs[i];
    CHECK(hbDNNGetOutputTensorProperties(&output->properties, model, i));
    CHECK(hbUCPMallocCached(&output->sysMem, (uint64_t)output->properties.alignedByteSize, 0));
  }
}

static void close_job(Job* job) {
  for (int32_t i = 0; i < input_count; ++i) CHECK(hbUCPFree(&job->inputs[i].sysMem));
  for (int32_t i = 0; i < output_count; ++i) CHECK(hbUCPFree(&job->outputs[i].sysMem));
}

static void submit(const Job* job, int32_t priority, uint64_t backend) {
  hbUCPSchedParam param;
  HB_UCP_INITIALIZE_SCHED_PARAM(&param);
  param.priority = priority;
  param.backend = backend;
  CHECK(hbUCPSubmitTask(job->task, &param));
}

static void print_tensor(const char* side, const char* name, const hbDNNTensorProperties* tensor) {
  printf("%s %s: type %d, shape", side, name, tensor->tensorType);
  for (int32_t i = 0; i < tensor->validShape.numDimensions; ++i) {
    printf("%s%d", i == 0 ? " " : "x", tensor->validShape.dimensionSize[i]);
  }
  printf(", %lld bytes\n", (long long)tensor->alignedByteSize);
}

/* The first elements of the innermost dimension. */
static void print_values(const hbDNNTensor* tensor) {
  const hbDNNTensorShape* shape = &tensor->properties.validShape;
  int32_t count = shape->dimensionSize[shape->numDimensions - 1];
  if (count > 8) count = 8;
  for (int32_t i = 0; i < count; ++i) {
    switch (tensor->properties.tensorType) {
      case HB_DNN_TENSOR_TYPE_F32:
        printf(" %g", (double)((const float*)tensor->sysMem.virAddr)[i]);
        break;
      case HB_DNN_TENSOR_TYPE_S32:
        printf(" %d", ((const int32_t*)tensor->sysMem.virAddr)[i]);
        break;
      case HB_DNN_TENSOR_TYPE_S8:
        printf(" %d", ((const int8_t*)tensor->sysMem.virAddr)[i]);
        break;
      default:
        printf(" 0x%02x", ((const uint8_t*)tensor->sysMem.virAddr)[i]);
    }
  }
  printf("\n");
}

static void run_once(hbDNNHandle_t model) {
  Job job;
  open_job(&job, model);
  CHECK(hbDNNInferV2(&job.task, job.outputs, job.inputs, model));
  submit(&job, HB_UCP_PRIORITY_LOWEST, HB_UCP_BPU_CORE_ANY);
  CHECK(hbUCPWaitTaskDone(job.task, 0));
  for (int32_t i = 0; i < input_count; ++i) {
    const char* name = NULL;
    CHECK(hbDNNGetInputName(&name, model, i));
    print_tensor("input ", name, &job.inputs[i].properties);
  }
  for (int32_t i = 0; i < output_count; ++i) {
    const char* name = NULL;
    CHECK(hbDNNGetOutputName(&name, model, i));
    CHECK(hbUCPMemFlush(&job.outputs[i].sysMem, HB_SYS_MEM_CACHE_INVALIDATE));
    /* What the task really made: a dynamic output's shape is known only now. */
    CHECK(hbDNNGetTaskOutputTensorProperties(&job.outputs[i].properties, job.task, 0, i));
    print_tensor("output", name, &job.outputs[i].properties);
    printf("  begins with");
    print_values(&job.outputs[i]);
  }
  CHECK(hbUCPReleaseTask(job.task));
  close_job(&job);
}

static int ended[JOBS];
static atomic_int ended_count;

static void note_end(hbUCPTaskHandle_t task, int32_t status, void* user_data) {
  (void)task;
  (void)status;
  ended[atomic_fetch_add(&ended_count, 1)] = *(const int*)user_data;
}

/* Four tasks for one core: those that have to wait run in the order of their priorities. */
static void show_priorities(hbDNNHandle_t model) {
  static const int priorities[JOBS] = {0, 10, 200, 100};
  Job jobs[JOBS];
  for (int i = 0; i < JOBS; ++i) {
    open_job(&jobs[i], model);
    CHECK(hbDNNInferV2(&jobs[i].task, jobs[i].outputs, jobs[i].inputs, model));
    CHECK(hbUCPSetTaskDoneCb(jobs[i].task, &note_end, (void*)&priorities[i]));
  }
  for (int i = 0; i < JOBS; ++i) submit(&jobs[i], priorities[i], HB_UCP_BPU_CORE_0);
  for (int i = 0; i < JOBS; ++i) CHECK(hbUCPWaitTaskDone(jobs[i].task, 0));
  /* A waiter may come back before the callback ran. */
  const struct timespec moment = {0, 1000000};
  for (int i = 0; i < 5000 && atomic_load(&ended_count) < JOBS; ++i) nanosleep(&moment, NULL);
  for (int i = 0; i < JOBS; ++i) CHECK(hbUCPReleaseTask(jobs[i].task));
  printf("priorities in the order of their ends:");
  for (int i = 0; i < atomic_load(&ended_count); ++i) printf(" %d", ended[i]);
  printf("\n");
  for (int i = 0; i < JOBS; ++i) close_job(&jobs[i]);
}

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s MODEL.hbm\n", argv[0]);
    return 2;
  }
  const char* file = argv[1];
  hbDNNPackedHandle_t packed = NULL;
  const char** names = NULL;
  int32_t name_count = 0;
  printf("%s with the libraries %s\n", hbUCPGetSocName(), hbUCPGetVersion());
  CHECK(hbDNNInitializeFromFiles(&packed, &file, 1));
  CHECK(hbDNNGetModelNameList(&names, &name_count, packed));
  for (int32_t i = 0; i < name_count; ++i) {
    hbDNNHandle_t model = NULL;
    CHECK(hbDNNGetModelHandle(&model, packed, names[i]));
    CHECK(hbDNNGetInputCount(&input_count, model));
    CHECK(hbDNNGetOutputCount(&output_count, model));
    if (input_count > MAX_TENSORS || output_count > MAX_TENSORS) {
      fprintf(stderr, "%s has more than %d tensors\n", names[i], MAX_TENSORS);
      return 1;
    }
    printf("model %s\n", names[i]);
    run_once(model);
    atomic_store(&ended_count, 0);
    show_priorities(model);
  }
  CHECK(hbDNNRelease(packed));
  return 0;
}
