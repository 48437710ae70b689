/* SPDX-License-Identifier: Apache-2.0
 * Section 5.1 of the fact sheet: shapes, strides, padding, dynamic sizes, crops. */
#include "conformance.h"

static void check_nv12_properties(hbDNNHandle_t model) {
  hbDNNTensorProperties y;
  hbDNNTensorProperties uv;
  ROW("5.1", "an NV12 model's planes: U8 [1,H,W,1] and [1,H/2,W/2,2], no quantisation") {
    EXPECT_OK(hbDNNGetInputTensorProperties(&y, model, 0));
    EXPECT_OK(hbDNNGetInputTensorProperties(&uv, model, 1));
    EXPECT_EQ(y.tensorType, HB_DNN_TENSOR_TYPE_U8);
    EXPECT_EQ(uv.tensorType, HB_DNN_TENSOR_TYPE_U8);
    EXPECT_EQ(y.quantiType, HB_DNN_QUANTI_NONE);
    EXPECT_EQ(y.validShape.dimensionSize[1], 6);
    EXPECT_EQ(y.validShape.dimensionSize[2], 70);
    EXPECT_EQ(y.validShape.dimensionSize[3], 1);
    EXPECT_EQ(uv.validShape.dimensionSize[1], 3);
    EXPECT_EQ(uv.validShape.dimensionSize[2], 35);
    EXPECT_EQ(uv.validShape.dimensionSize[3], 2);
  }
  ROW("5.1", "their strides are -1,-1,1,1 and -1,-1,2,1, the aligned size is -1: the caller's") {
    static const int64_t kY[] = {-1, -1, 1, 1};
    static const int64_t kUv[] = {-1, -1, 2, 1};
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(y.stride[i], kY[i]);
      EXPECT_EQ(uv.stride[i], kUv[i]);
    }
    EXPECT_EQ(y.alignedByteSize, -1);
    EXPECT_EQ(uv.alignedByteSize, -1);
  }
}

static void fill_plane(const Job* job, int32_t input, int start) {
  const hbDNNTensorProperties* plane = &job->inputs[input].properties;
  const int32_t row_size = plane->validShape.dimensionSize[2] * plane->validShape.dimensionSize[3];
  for (int32_t row = 0; row < plane->validShape.dimensionSize[1]; ++row) {
    for (int32_t i = 0; i < row_size; ++i) {
      ((uint8_t*)input_data(job, input))[row * plane->stride[1] + i] =
          (uint8_t)(start + row * row_size + i);
    }
  }
}

static bool plane_arrived(const Job* job, int32_t output, int start) {
  const hbDNNTensorProperties* plane = &job->outputs[output].properties;
  const int32_t row_size = plane->validShape.dimensionSize[2] * plane->validShape.dimensionSize[3];
  for (int32_t row = 0; row < plane->validShape.dimensionSize[1]; ++row) {
    for (int32_t i = 0; i < row_size; ++i) {
      const uint8_t got = ((const uint8_t*)output_data(job, output))[row * plane->stride[1] + i];
      if (got != (uint8_t)(start + row * row_size + i)) return false;
    }
  }
  return true;
}

static void check_nv12_runs(hbDNNHandle_t model) {
  ROW("5.1", "strides filled from inner to outer, rows to the chip's pitch: the model runs") {
    Job job;
    REQUIRE(job_open(&job, model, 0));
    fill_plane(&job, 0, 1);
    fill_plane(&job, 1, 100);
    EXPECT_OK(job_run(&job));
    EXPECT(plane_arrived(&job, 0, 1) && plane_arrived(&job, 1, 100));
    job_close(&job);
  }
  ROW("5.1", "a dynamic input's buffer is stride[0] * dim[0] bytes: less is refused at InferV2") {
    Job job;
    REQUIRE(job_open(&job, model, 0));
    hbUCPSysMem whole = job.inputs[0].sysMem;
    hbUCPSysMem small = {0};
    EXPECT_OK(hbUCPMallocCached(&small, (uint64_t)job.inputs[0].properties.stride[1] * 5, 0));
    job.inputs[0].sysMem = small;
    EXPECT_REFUSED(job_infer(&job));
    EXPECT(job.task == NULL);
    EXPECT_OK(hbUCPFree(&small));
    job.inputs[0].sysMem = whole;
    job_close(&job);
  }
  ROW("5.1", "strides left at -1, or smaller than a row: refused at InferV2") {
    Job job;
    REQUIRE(job_open(&job, model, 0));
    const int64_t good = job.inputs[0].properties.stride[1];
    static const int64_t kBad[] = {-1, 0, 64, -64};
    for (size_t i = 0; i < COUNT_OF(kBad); ++i) {
      job.inputs[0].properties.stride[1] = kBad[i];
      EXPECT_REFUSED(job_infer(&job));
    }
    job.inputs[0].properties.stride[1] = good;
    job.inputs[0].properties.stride[0] = good; /* one row for six */
    EXPECT_REFUSED(job_infer(&job));
    EXPECT(job.task == NULL);
    job_close(&job);
  }
  ROW("5.1", "crop: an offset address and larger strides select a window without a copy") {
    /* A camera picture of 12 rows of 256 bytes; the window starts at row 2, byte 64. */
    Job job;
    hbUCPSysMem picture = {0};
    REQUIRE(job_open(&job, model, 0));
    EXPECT_OK(hbUCPMallocCached(&picture, 12 * 256, 0));
    for (int i = 0; i < 12 * 256; ++i) ((uint8_t*)picture.virAddr)[i] = (uint8_t)(i / 256 * 70 + i);
    hbUCPSysMem whole = job.inputs[0].sysMem;
    job.inputs[0].sysMem.virAddr = (uint8_t*)picture.virAddr + 2 * 256 + 64;
    job.inputs[0].sysMem.phyAddr = picture.phyAddr + 2 * 256 + 64;
    job.inputs[0].properties.stride[1] = 256;
    job.inputs[0].properties.stride[0] = 256 * 6;
    EXPECT_OK(job_infer(&job));
    EXPECT_OK(job_submit(&job, 0, 0, HB_UCP_BPU_CORE_ANY));
    EXPECT_OK(job_wait(&job, WAIT_MS));
    const uint8_t* luma = output_data(&job, 0);
    for (int row = 0; row < 6; ++row) {
      EXPECT_EQ(luma[row * job.outputs[0].properties.stride[1]], (uint8_t)((row + 2) * 70 + 64));
    }
    job.inputs[0].sysMem = whole;
    job_close(&job);
    EXPECT_OK(hbUCPFree(&picture));
  }
  ROW("5.1", "an input's address must be a multiple of 32 bytes, also in a crop") {
    Job job;
    REQUIRE(job_open(&job, model, 0));
    const hbUCPSysMem whole = job.inputs[1].sysMem;
    job.inputs[1].properties.stride[0] -= job.inputs[1].properties.stride[1];
    job.inputs[1].properties.stride[0] += job.inputs[1].properties.stride[1];
    job.inputs[1].sysMem.virAddr = (uint8_t*)whole.virAddr + 16;
    EXPECT_REFUSED(job_infer(&job));
    job.inputs[1].sysMem = whole;
    job_close(&job);
  }
}

static void check_padding(void) {
  hbDNNPackedHandle_t packed = load("head.hbm");
  hbDNNHandle_t head = model_of(packed, "head");
  hbDNNHandle_t scores = model_of(packed, "scores");
  if (head == NULL || scores == NULL) return;
  ROW("5.1", "S32 [1,21,21,255]: rows of 1020 bytes lie 1024 apart") {
    static const int64_t kStrides[] = {451584, 21504, 1024, 4};
    hbDNNTensorProperties properties;
    EXPECT_OK(hbDNNGetOutputTensorProperties(&properties, head, 0));
    for (int i = 0; i < 4; ++i) EXPECT_EQ(properties.stride[i], kStrides[i]);
    EXPECT_EQ(properties.alignedByteSize, 451584);
    EXPECT_EQ(properties.tensorType, HB_DNN_TENSOR_TYPE_S32);
  }
  ROW("5.1", "padded outputs are written at their strides, and padding is not promised") {
    Job job;
    REQUIRE(job_open(&job, head, 0));
    int32_t* in = input_data(&job, 0);
    const int64_t* stride = job.inputs[0].properties.stride;
    for (int64_t i = 0; i < 21 * 21 * 255; ++i) {
      const int64_t at = i / (21 * 255) * stride[1] + i / 255 % 21 * stride[2] + i % 255 * 4;
      in[at / 4] = (int32_t)i;
    }
    EXPECT_OK(job_run(&job));
    const int32_t* out = output_data(&job, 0);
    for (int64_t i = 0; i < 21 * 21 * 255; i += 251) {
      EXPECT_EQ(out[i / (21 * 255) * 5376 + i / 255 % 21 * 256 + i % 255], 2 * i);
    }
    job_close(&job);
  }
  ROW("5.1", "F32 [1,1000]: strides 4000 and 4, yet 4096 bytes to allocate") {
    hbDNNTensorProperties properties;
    EXPECT_OK(hbDNNGetOutputTensorProperties(&properties, scores, 0));
    EXPECT_EQ(properties.stride[0], 4000);
    EXPECT_EQ(properties.stride[1], 4);
    EXPECT_EQ(properties.alignedByteSize, 4096);
  }
  ROW("5.1", "a static input is given padded, or dense with its strides set to the dense ones") {
    Job job;
    REQUIRE(job_open(&job, head, 0));
    int32_t* in = input_data(&job, 0);
    for (int i = 0; i < 21 * 21 * 255; ++i) in[i] = i;
    job.inputs[0].properties.stride[2] = 255 * 4;
    job.inputs[0].properties.stride[1] = 21 * 255 * 4;
    job.inputs[0].properties.stride[0] = 21 * 21 * 255 * 4;
    EXPECT_OK(job_run(&job));
    EXPECT_EQ(((const int32_t*)output_data(&job, 0))[256 + 3], 2 * (255 + 3));
    job_close(&job);
  }
  ROW("5.1", "other strides of a static input are refused at InferV2") {
    Job job;
    REQUIRE(job_open(&job, head, 0));
    job.inputs[0].properties.stride[2] = 1022;
    EXPECT_REFUSED(job_infer(&job));
    job.inputs[0].properties.stride[2] = 512;
    EXPECT_REFUSED(job_infer(&job));
    job_close(&job);
  }
  EXPECT_OK(hbDNNRelease(packed));
}

static void check_validation(void) {
  hbDNNPackedHandle_t packed = load("basic.hbm");
  hbDNNHandle_t model = model_of(packed, "double");
  Job job;
  if (model == NULL || !job_open(&job, model, 0)) return;
  const hbDNNTensor input = job.inputs[0];
  const hbDNNTensor output = job.outputs[0];
  ROW("5.1", "InferV2 refuses a null or unaligned input address, and makes no task") {
    job.inputs[0].sysMem.virAddr = NULL;
    EXPECT_REFUSED(job_infer(&job));
    job.inputs[0].sysMem.virAddr = (char*)input.sysMem.virAddr + 4;
    EXPECT_REFUSED(job_infer(&job));
    EXPECT(job.task == NULL);
    job.inputs[0] = input;
  }
  ROW("5.1", "InferV2 refuses a null output address") {
    job.outputs[0].sysMem.virAddr = NULL;
    EXPECT_REFUSED(job_infer(&job));
    job.outputs[0] = output;
  }
  ROW("5.1", "InferV2 refuses an input of another number of dimensions or another shape") {
    job.inputs[0].properties.validShape.numDimensions = 3;
    EXPECT_REFUSED(job_infer(&job));
    job.inputs[0].properties.validShape.numDimensions = 11;
    EXPECT_REFUSED(job_infer(&job));
    job.inputs[0].properties.validShape.numDimensions = -1;
    EXPECT_REFUSED(job_infer(&job));
    job.inputs[0] = input;
    job.inputs[0].properties.validShape.dimensionSize[1] = 5;
    EXPECT_REFUSED(job_infer(&job));
    job.inputs[0] = input;
  }
  ROW("5.1", "InferV2 refuses memory that is not the device's") {
    _Alignas(64) float on_the_stack[16] = {0};
    job.inputs[0].sysMem.virAddr = on_the_stack;
    EXPECT_REFUSED(job_infer(&job));
    job.inputs[0] = input;
    job.outputs[0].sysMem.virAddr = on_the_stack;
    EXPECT_REFUSED(job_infer(&job));
    job.outputs[0] = output;
  }
  ROW("5.1", "after all refusals the same tensors run") {
    ((float*)input_data(&job, 0))[2] = 6;
    EXPECT_OK(job_run(&job));
    EXPECT(((const float*)output_data(&job, 0))[2] == 12);
  }
  job_close(&job);
  EXPECT_OK(hbDNNRelease(packed));
}

static void check_dynamic_shapes(void) {
  hbDNNPackedHandle_t packed = load("dynamic.hbm");
  hbDNNHandle_t rows = model_of(packed, "rows");
  if (rows == NULL) return;
  ROW("5.1", "a dynamic dimension is -1 in the model's properties") {
    hbDNNTensorProperties properties;
    EXPECT_OK(hbDNNGetInputTensorProperties(&properties, rows, 0));
    EXPECT_EQ(properties.validShape.dimensionSize[0], -1);
    EXPECT_EQ(properties.alignedByteSize, -1);
  }
  ROW("5.1", "dynamic dimensions left unfilled are refused at InferV2") {
    Job job;
    REQUIRE(job_open(&job, rows, 2));
    job.inputs[0].properties.validShape.dimensionSize[0] = -1;
    EXPECT_REFUSED(job_infer(&job));
    job.inputs[0].properties.validShape.dimensionSize[0] = 0;
    EXPECT_REFUSED(job_infer(&job));
    job_close(&job);
  }
  ROW("1", "GetTaskOutputTensorProperties tells a dynamic output's real shape and strides") {
    for (int32_t count = 1; count <= 5; count += 2) {
      Job job;
      if (!job_open(&job, rows, count)) continue;
      const int64_t pitch = job.inputs[0].properties.stride[0];
      for (int32_t i = 0; i < count; ++i) {
        ((float*)input_data(&job, 0))[i * pitch / 4 + 1] = (float)(i + 1);
      }
      EXPECT_OK(job_run(&job));
      hbDNNTensorProperties made;
      EXPECT_OK(hbDNNGetTaskOutputTensorProperties(&made, job.task, 0, 0));
      EXPECT_EQ(made.validShape.numDimensions, 2);
      EXPECT_EQ(made.validShape.dimensionSize[0], count);
      EXPECT_EQ(made.validShape.dimensionSize[1], 4);
      EXPECT(made.stride[0] >= 16 && made.stride[1] == 4);
      for (int32_t i = 0; i < count; ++i) {
        const float* row = (const float*)output_data(&job, 0) + i * made.stride[0] / 4;
        EXPECT(row[1] == (float)(2 * (i + 1)));
      }
      job_close(&job);
    }
  }
  ROW("1", "an output whose shape depends on the values reports what was found") {
    Job job;
    REQUIRE(job_open(&job, model_of(packed, "found"), 0));
    float* in = input_data(&job, 0);
    in[1] = in[4] = 1;
    EXPECT_OK(job_run(&job));
    hbDNNTensorProperties made;
    EXPECT_OK(hbDNNGetTaskOutputTensorProperties(&made, job.task, 0, 0));
    EXPECT_EQ(made.validShape.dimensionSize[0], 2);
    EXPECT_EQ(made.validShape.dimensionSize[1], 2);
    const int64_t* out = output_data(&job, 0);
    EXPECT_EQ(out[made.stride[0] / 8], 1);
    EXPECT_EQ(out[made.stride[0] / 8 + 1], 4);
    job_close(&job);
  }
  EXPECT_OK(hbDNNRelease(packed));
}

void check_layouts(void) {
  hbDNNPackedHandle_t packed = load("nv12.hbm");
  hbDNNHandle_t model = model_of(packed, "camera");
  if (model != NULL) {
    check_nv12_properties(model);
    check_nv12_runs(model);
  }
  if (packed != NULL) EXPECT_OK(hbDNNRelease(packed));
  check_padding();
  check_validation();
  check_dynamic_shapes();
  not_observable("5.1", "alignment of output strides and aligned sizes on boards",
                 "the compiler decides it; the values that were seen are in the models");
}

void check_layouts_of_chip(void) {
  hbDNNPackedHandle_t packed = load("nv12.hbm");
  hbDNNHandle_t model = model_of(packed, "camera");
  Job job;
  if (model == NULL || !job_open(&job, model, 0)) return;
  ROW("5.1", "row pitch of planes: a multiple of 32 bytes on S100 and S100P, of 64 on S600") {
    /* Rows of 70 bytes: 96 is enough for 32, 128 for both. */
    job.inputs[0].properties.stride[1] = 96;
    job.inputs[0].properties.stride[0] = 96 * 6;
    if (strcmp(chip(), "S600") == 0) {
      EXPECT_REFUSED(job_infer(&job));
    } else {
      EXPECT_OK(job_infer(&job));
      job_release(&job);
    }
  }
  ROW("5.1", "a pitch of 64 bytes is good on every chip, one of 80 on none") {
    job_close(&job);
    REQUIRE(job_open(&job, model, 0));
    hbUCPSysMem whole = job.inputs[0].sysMem;
    EXPECT_OK(hbUCPMallocCached(&job.inputs[0].sysMem, 128 * 6, 0));
    job.inputs[0].properties.stride[1] = 128;
    job.inputs[0].properties.stride[0] = 128 * 6;
    EXPECT_OK(job_infer(&job));
    job_release(&job);
    job.inputs[0].properties.stride[1] = 80;
    job.inputs[0].properties.stride[0] = 128 * 6;
    EXPECT_REFUSED(job_infer(&job));
    EXPECT_OK(hbUCPFree(&job.inputs[0].sysMem));
    job.inputs[0].sysMem = whole;
  }
  job_close(&job);
  EXPECT_OK(hbDNNRelease(packed));
}

void check_data_types(void) {
  static const int32_t kTypes[] = {2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
  static const int64_t kSizes[] = {1, 1, 2, 2, 2, 4, 4, 4, 8, 8, 8, 1};
  hbDNNPackedHandle_t packed = load("types.hbm");
  hbDNNHandle_t model = model_of(packed, "types");
  Job job;
  if (model == NULL || !job_open(&job, model, 0)) return;
  ROW("5.1", "all 12 types of whole bytes: the innermost stride is the element's size") {
    REQUIRE(job.input_count == 12 && job.output_count == 12);
    for (size_t i = 0; i < COUNT_OF(kTypes); ++i) {
      EXPECT_EQ(job.inputs[i].properties.tensorType, kTypes[i]);
      EXPECT_EQ(job.outputs[i].properties.tensorType, kTypes[i]);
      EXPECT_EQ(job.inputs[i].properties.stride[1], kSizes[i]);
    }
  }
  ROW("5.1", "all 12 types of whole bytes arrive bit for bit") {
    for (int32_t i = 0; i < job.input_count; ++i) {
      unsigned char* bytes = input_data(&job, i);
      for (int64_t k = 0; k < 5 * kSizes[i]; ++k) {
        const int64_t value = kTypes[i] == HB_DNN_TENSOR_TYPE_BOOL8 ? k % 2 : i * 40 + k * 3 + 1;
        bytes[k] = (unsigned char)(value & 0xFF);
      }
    }
    EXPECT_OK(job_run(&job));
    for (int32_t i = 0; i < job.input_count; ++i) {
      EXPECT(memcmp(input_data(&job, i), output_data(&job, i), (size_t)(5 * kSizes[i])) == 0);
    }
  }
  job_close(&job);
  ROW("5.1", "S4 and U4: two elements in a byte, the first in the low half") {
    static const char* const kNames[] = {"s4", "u4"};
    for (int which = 0; which < 2; ++which) {
      if (!job_open(&job, model_of(packed, kNames[which]), 0)) continue;
      EXPECT_EQ(job.inputs[0].properties.tensorType, which);
      EXPECT_EQ(job.inputs[0].properties.stride[1], 1);
      uint8_t* in = input_data(&job, 0); /* [2, 6], rows of 3 bytes */
      for (int row = 0; row < 2; ++row) {
        for (int column = 0; column < 6; ++column) {
          uint8_t* byte = &in[row * job.inputs[0].properties.stride[0] + column / 2];
          *byte = (uint8_t)(*byte | (row * 6 + column) % 8 << column % 2 * 4);
        }
      }
      EXPECT_OK(job_run(&job));
      const uint8_t* out = output_data(&job, 0); /* [6, 2], transposed */
      for (int column = 0; column < 6; ++column) {
        const uint8_t byte = out[column * job.outputs[0].properties.stride[0]];
        EXPECT_EQ(byte & 0xF, column % 8);
        EXPECT_EQ(byte >> 4, (6 + column) % 8);
      }
      job_close(&job);
    }
  }
  EXPECT_OK(hbDNNRelease(packed));
}

void check_quantization(void) {
  hbDNNPackedHandle_t packed = load("quantized.hbm");
  hbDNNHandle_t model = model_of(packed, "quantized");
  hbDNNTensorProperties tensor;
  if (model == NULL) return;
  ROW("5.1", "quantisation per tensor: one scale, one zero point, a negative axis") {
    EXPECT_OK(hbDNNGetInputTensorProperties(&tensor, model, 0));
    EXPECT_EQ(tensor.quantiType, HB_DNN_QUANTI_SCALE);
    REQUIRE(tensor.scale.scaleLen == 1 && tensor.scale.zeroPointLen == 1);
    EXPECT(tensor.scale.scaleData[0] == 0.5F);
    EXPECT_EQ(tensor.scale.zeroPointData[0], 3);
    EXPECT(tensor.quantizeAxis < 0);
  }
  ROW("5.1", "quantisation per axis: as many scales as the axis has elements") {
    EXPECT_OK(hbDNNGetInputTensorProperties(&tensor, model, 1));
    EXPECT_EQ(tensor.quantiType, HB_DNN_QUANTI_SCALE);
    EXPECT_EQ(tensor.quantizeAxis, 1);
    REQUIRE(tensor.scale.scaleLen == tensor.validShape.dimensionSize[1]);
    EXPECT(tensor.scale.scaleData[0] == 0.25F && tensor.scale.scaleData[2] == 1.0F);
  }
  ROW("5.1", "without zero points their number is 0: the real value is x times scale") {
    EXPECT_EQ(tensor.scale.zeroPointLen, 0);
  }
  ROW("5.1", "quantisation per axis with zero points: as many as scales") {
    EXPECT_OK(hbDNNGetOutputTensorProperties(&tensor, model, 1));
    REQUIRE(tensor.scale.scaleLen == 3 && tensor.scale.zeroPointLen == 3);
    EXPECT_EQ(tensor.scale.zeroPointData[0], -1);
    EXPECT_EQ(tensor.scale.zeroPointData[2], 4);
  }
  ROW("5.1", "no quantisation: no scales, axis 0") {
    EXPECT_OK(hbDNNGetOutputTensorProperties(&tensor, model, 0));
    EXPECT_EQ(tensor.quantiType, HB_DNN_QUANTI_NONE);
    EXPECT_EQ(tensor.scale.scaleLen, 0);
    EXPECT_EQ(tensor.scale.zeroPointLen, 0);
    EXPECT_EQ(tensor.quantizeAxis, 0);
  }
  not_observable("5.1", "rounding of the quantised value to the nearest even",
                 "programs do it, not the library; hbm_runtime's tests cover ours");
  EXPECT_OK(hbDNNRelease(packed));
}
