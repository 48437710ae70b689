/* SPDX-License-Identifier: Apache-2.0
 * Section 3 of the fact sheet: enums, flags, bits, and that the library knows the same numbers. */
#include "conformance.h"

static void check_backends(void) {
  hbDNNPackedHandle_t packed = load("basic.hbm");
  hbDNNHandle_t model = model_of(packed, "double");
  Job job;
  if (model == NULL || !job_open(&job, model, 0)) return;
  EXPECT_OK(job_infer(&job));
  ROW("3", "backend bits: cores are the bits 0 to 3, any BPU core is bit 7, any hardware is 0") {
    EXPECT_EQ(HB_UCP_CORE_ANY, 0);
    EXPECT_EQ(HB_UCP_BPU_CORE_0, 1);
    EXPECT_EQ(HB_UCP_BPU_CORE_1, 2);
    EXPECT_EQ(HB_UCP_BPU_CORE_2, 4);
    EXPECT_EQ(HB_UCP_BPU_CORE_3, 8);
    EXPECT_EQ(HB_UCP_BPU_CORE_ANY, 0x80);
  }
  ROW("3", "backend bits of DSP, GDC, stitch, LKOF, JPU, VPU, pyramid, ISP run no model: -100001") {
    static const int kBits[] = {8,  9,  15, 16, 17, 19, 20, 24, 25, 26, 27, 29, 30,
                                31, 32, 33, 35, 36, 37, 38, 39, 40, 42, 43, 44, 45};
    for (size_t i = 0; i < COUNT_OF(kBits); ++i) {
      EXPECT_EQ(job_submit(&job, 0, 0, 1ULL << kBits[i]), HB_UCP_INVALID_ARGUMENT);
    }
  }
  ROW("3", "a backend with one usable bit is taken, whatever other known bits it has") {
    EXPECT_OK(job_submit(&job, 0, 0, HB_UCP_BPU_CORE_0 | 1ULL << 8));
    EXPECT_OK(job_wait(&job, WAIT_MS));
  }
  job_release(&job);
  ROW("3", "priority: 0 is the lowest, 255 the highest, both are taken") {
    EXPECT_EQ(HB_UCP_PRIORITY_LOWEST, 0);
    EXPECT_EQ(HB_UCP_PRIORITY_HIGHEST, 255);
    for (int32_t priority = 0; priority <= 255; priority += 255) {
      EXPECT_OK(job_infer(&job));
      EXPECT_OK(job_submit(&job, priority, 0, HB_UCP_BPU_CORE_ANY));
      EXPECT_OK(job_wait(&job, WAIT_MS));
      job_release(&job);
    }
  }
  ROW("3", "the scheduling parameters' initialiser sets all to 0: any hardware") {
    hbUCPSchedParam param;
    memset(&param, 0xFF, sizeof(param));
    HB_UCP_INITIALIZE_SCHED_PARAM(&param);
    EXPECT_EQ(param.priority, 0);
    EXPECT_EQ(param.customId, 0);
    EXPECT_EQ(param.backend, HB_UCP_CORE_ANY);
    EXPECT_EQ(param.deviceId, 0);
    EXPECT_OK(job_infer(&job));
    EXPECT_OK(hbUCPSubmitTask(job.task, &param));
    EXPECT_OK(job_wait(&job, WAIT_MS));
  }
  job_close(&job);
  EXPECT_OK(hbDNNRelease(packed));
}

void check_constants(void) {
  ROW("3", "hbDNNDataType: 14 types, numbered 0 to 13") {
    EXPECT_EQ(HB_DNN_TENSOR_TYPE_S4, 0);
    EXPECT_EQ(HB_DNN_TENSOR_TYPE_U4, 1);
    EXPECT_EQ(HB_DNN_TENSOR_TYPE_S8, 2);
    EXPECT_EQ(HB_DNN_TENSOR_TYPE_U8, 3);
    EXPECT_EQ(HB_DNN_TENSOR_TYPE_F16, 4);
    EXPECT_EQ(HB_DNN_TENSOR_TYPE_S16, 5);
    EXPECT_EQ(HB_DNN_TENSOR_TYPE_U16, 6);
    EXPECT_EQ(HB_DNN_TENSOR_TYPE_F32, 7);
    EXPECT_EQ(HB_DNN_TENSOR_TYPE_S32, 8);
    EXPECT_EQ(HB_DNN_TENSOR_TYPE_U32, 9);
    EXPECT_EQ(HB_DNN_TENSOR_TYPE_F64, 10);
    EXPECT_EQ(HB_DNN_TENSOR_TYPE_S64, 11);
    EXPECT_EQ(HB_DNN_TENSOR_TYPE_U64, 12);
    EXPECT_EQ(HB_DNN_TENSOR_TYPE_BOOL8, 13);
    EXPECT_EQ(HB_DNN_TENSOR_TYPE_MAX, 14);
  }
  ROW("3", "hbDNNQuantiType: none 0, scale 1, 32 bits wide") {
    EXPECT_EQ(HB_DNN_QUANTI_NONE, 0);
    EXPECT_EQ(HB_DNN_QUANTI_SCALE, 1);
    EXPECT_EQ(sizeof(hbDNNQuantiType), 4);
  }
  ROW("3", "hbDNNDescType: unknown 0, string 1") {
    EXPECT_EQ(HB_DNN_DESC_TYPE_UNKNOWN, 0);
    EXPECT_EQ(HB_DNN_DESC_TYPE_STRING, 1);
  }
  not_observable("3", "tensor layout", "this ABI has none: shapes and strides say it");
  ROW("3", "flush flags: invalidate 1, clean 2") {
    EXPECT_EQ(HB_SYS_MEM_CACHE_INVALIDATE, 1);
    EXPECT_EQ(HB_SYS_MEM_CACHE_CLEAN, 2);
  }
  check_backends();
  not_observable("3", "version macros of the headers",
                 "our declarations state no version; hbUCPGetVersion does");
}
