/* SPDX-License-Identifier: Apache-2.0
 * Section 2 of the fact sheet: sizes and offsets of the structs, and what the library writes. */
#include "conformance.h"

#define EXPECT_AT(type, field, offset) EXPECT_EQ(offsetof(type, field), offset)

_Static_assert(sizeof(hbUCPSysMem) == 24, "hbUCPSysMem");
_Static_assert(sizeof(hbDNNTensorProperties) == 176, "hbDNNTensorProperties");
_Static_assert(sizeof(hbDNNTensor) == 200, "hbDNNTensor");
_Static_assert(sizeof(hbUCPSchedParam) == 32, "hbUCPSchedParam");

/* Each declares what the library must write, between two guards of known bytes. */
#define GUARDED(type)         \
  struct {                    \
    unsigned char before[64]; \
    type value;               \
    unsigned char behind[64]; \
  }

static bool untouched(const unsigned char* bytes) {
  for (size_t i = 0; i < 64; ++i) {
    if (bytes[i] != 0xC3) return false;
  }
  return true;
}

void check_structs(void) {
  hbDNNPackedHandle_t packed = load("quantized.hbm");
  hbDNNHandle_t model = model_of(packed, "quantized");
  ROW("2", "HB_DNN_TENSOR_MAX_DIMENSIONS is 10; the handles are pointers") {
    EXPECT_EQ(HB_DNN_TENSOR_MAX_DIMENSIONS, 10);
    EXPECT_EQ(sizeof(hbDNNPackedHandle_t), 8);
    EXPECT_EQ(sizeof(hbDNNHandle_t), 8);
    EXPECT_EQ(sizeof(hbUCPTaskHandle_t), 8);
  }
  ROW("2", "hbUCPSysMem: 24 bytes, and an allocation writes no others") {
    EXPECT_AT(hbUCPSysMem, phyAddr, 0);
    EXPECT_AT(hbUCPSysMem, virAddr, 8);
    EXPECT_AT(hbUCPSysMem, memSize, 16);
    GUARDED(hbUCPSysMem) guarded;
    memset(&guarded, 0xC3, sizeof(guarded));
    REQUIRE_OK(hbUCPMalloc(&guarded.value, 12345, 0));
    uint64_t words[3];
    memcpy(words, &guarded.value, sizeof(words));
    EXPECT(words[0] != 0 && words[1] == (uintptr_t)guarded.value.virAddr);
    EXPECT_EQ(words[2], 12345);
    EXPECT_OK(hbUCPFree(&guarded.value));
    EXPECT(untouched(guarded.before) && untouched(guarded.behind));
  }
  ROW("2", "hbDNNTensorShape: 44 bytes, aligned to 4") {
    EXPECT_EQ(sizeof(hbDNNTensorShape), 44);
    EXPECT_EQ(_Alignof(hbDNNTensorShape), 4);
    EXPECT_AT(hbDNNTensorShape, dimensionSize, 0);
    EXPECT_AT(hbDNNTensorShape, numDimensions, 40);
  }
  ROW("2", "hbDNNQuantiScale: 32 bytes, floats and 32-bit zero points") {
    EXPECT_EQ(sizeof(hbDNNQuantiScale), 32);
    EXPECT_AT(hbDNNQuantiScale, scaleLen, 0);
    EXPECT_AT(hbDNNQuantiScale, scaleData, 8);
    EXPECT_AT(hbDNNQuantiScale, zeroPointLen, 16);
    EXPECT_AT(hbDNNQuantiScale, zeroPointData, 24);
    EXPECT_EQ(sizeof(*((hbDNNQuantiScale*)NULL)->scaleData), 4);
    EXPECT_EQ(sizeof(*((hbDNNQuantiScale*)NULL)->zeroPointData), 4);
  }
  ROW("2", "hbDNNTensorProperties: 176 bytes at their offsets, and the library fills just these") {
    EXPECT_AT(hbDNNTensorProperties, validShape, 0);
    EXPECT_AT(hbDNNTensorProperties, tensorType, 44);
    EXPECT_AT(hbDNNTensorProperties, scale, 48);
    EXPECT_AT(hbDNNTensorProperties, scale.scaleData, 56);
    EXPECT_AT(hbDNNTensorProperties, scale.zeroPointLen, 64);
    EXPECT_AT(hbDNNTensorProperties, scale.zeroPointData, 72);
    EXPECT_AT(hbDNNTensorProperties, quantiType, 80);
    EXPECT_AT(hbDNNTensorProperties, quantizeAxis, 84);
    EXPECT_AT(hbDNNTensorProperties, alignedByteSize, 88);
    EXPECT_AT(hbDNNTensorProperties, stride, 96);
    GUARDED(hbDNNTensorProperties) guarded;
    memset(&guarded, 0xC3, sizeof(guarded));
    REQUIRE_OK(hbDNNGetInputTensorProperties(&guarded.value, model, 1));
    EXPECT(untouched(guarded.before) && untouched(guarded.behind));
    /* Read by number, as a program that was compiled long ago does. */
    const unsigned char* bytes = (const unsigned char*)&guarded.value;
    int32_t type = 0;
    int32_t axis = 0;
    int64_t size = 0;
    int64_t stride = 0;
    memcpy(&type, bytes + 44, 4);
    memcpy(&axis, bytes + 84, 4);
    memcpy(&size, bytes + 88, 8);
    memcpy(&stride, bytes + 96 + 8, 8);
    EXPECT_EQ(type, 2); /* S8 */
    EXPECT_EQ(axis, 1);
    EXPECT_EQ(size, 128);
    EXPECT_EQ(stride, 1);
  }
  ROW("2", "hbDNNTensor: 200 bytes; InferV2 finds tensor i at i times 200 bytes") {
    EXPECT_AT(hbDNNTensor, sysMem, 0);
    EXPECT_AT(hbDNNTensor, sysMem.virAddr, 8);
    EXPECT_AT(hbDNNTensor, properties, 24);
    EXPECT_AT(hbDNNTensor, properties.validShape.numDimensions, 64);
    EXPECT_AT(hbDNNTensor, properties.tensorType, 68);
    EXPECT_AT(hbDNNTensor, properties.alignedByteSize, 112);
    EXPECT_AT(hbDNNTensor, properties.stride, 120);
    Job job;
    REQUIRE(job_open(&job, model, 0));
    unsigned char raw[MAX_TENSORS * 200];
    memcpy(raw, job.inputs, (size_t)job.input_count * 200);
    ((int8_t*)input_data(&job, 1))[64 + 2] = 77; /* rows of 3 lie 64 apart */
    EXPECT_OK(hbDNNInferV2(NULL, job.outputs, (const hbDNNTensor*)(const void*)job.inputs, model));
    EXPECT_EQ(((const int8_t*)output_data(&job, 1))[3 + 2], 77);
    EXPECT(memcmp(raw, job.inputs, (size_t)job.input_count * 200) == 0);
    job_close(&job);
  }
  ROW("2", "hbUCPSchedParam: 32 bytes at their offsets") {
    EXPECT_AT(hbUCPSchedParam, priority, 0);
    EXPECT_AT(hbUCPSchedParam, customId, 8);
    EXPECT_AT(hbUCPSchedParam, backend, 16);
    EXPECT_AT(hbUCPSchedParam, deviceId, 24);
  }
  ROW("2", "SubmitTask reads priority and backend at their offsets") {
    Job job;
    unsigned char raw[32] = {0};
    hbUCPSchedParam param;
    REQUIRE(job_open(&job, model, 0));
    EXPECT_OK(job_infer(&job));
    const int32_t bad_priority = 256;
    memcpy(raw, &bad_priority, 4);
    memcpy(&param, raw, sizeof(param));
    EXPECT_EQ(hbUCPSubmitTask(job.task, &param), HB_UCP_INVALID_ARGUMENT);
    const uint64_t bad_backend = 1ULL << 8;
    memset(raw, 0, sizeof(raw));
    memcpy(raw + 16, &bad_backend, 8);
    memcpy(&param, raw, sizeof(param));
    EXPECT_EQ(hbUCPSubmitTask(job.task, &param), HB_UCP_INVALID_ARGUMENT);
    job_close(&job);
  }
  not_observable("2", "hbDNNInferV3Param", "only newer libraries have hbDNNInferV3");
  not_observable("2", "the other layout of hbDNNTensorProperties before 3.1",
                 "an older ABI; programs tell it by hbUCPGetVersion");
  if (packed != NULL) EXPECT_OK(hbDNNRelease(packed));
}
