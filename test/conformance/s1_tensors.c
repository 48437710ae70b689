/* SPDX-License-Identifier: Apache-2.0
 * Section 1 of the fact sheet: counts, names and properties of inputs and outputs. */
#include "conformance.h"

static void check_refusals(hbDNNHandle_t model) {
  ROW("1", "GetInputCount, GetOutputCount: null out or bad handle: -100001") {
    int32_t count = 0;
    EXPECT_EQ(hbDNNGetInputCount(NULL, model), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNGetInputCount(&count, NULL), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNGetOutputCount(NULL, model), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNGetOutputCount(&count, NULL), HB_UCP_INVALID_ARGUMENT);
  }
  ROW("1", "GetInputName, GetOutputName: an index outside of [0, count): -100001") {
    const char* name = NULL;
    EXPECT_EQ(hbDNNGetInputName(&name, model, -1), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNGetInputName(&name, model, 2), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNGetOutputName(&name, model, -1), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNGetOutputName(&name, model, 2), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNGetOutputName(&name, model, INT32_MAX), HB_UCP_INVALID_ARGUMENT);
    EXPECT(name == NULL);
  }
  ROW("1", "GetInputName, GetOutputName: null out or bad handle: -100001") {
    const char* name = NULL;
    EXPECT_EQ(hbDNNGetInputName(NULL, model, 0), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNGetInputName(&name, NULL, 0), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNGetOutputName(NULL, model, 0), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNGetOutputName(&name, &name, 0), HB_UCP_INVALID_ARGUMENT);
  }
  ROW("1", "tensor properties: null out, bad handle or index: -100001") {
    hbDNNTensorProperties properties;
    EXPECT_EQ(hbDNNGetInputTensorProperties(NULL, model, 0), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNGetInputTensorProperties(&properties, NULL, 0), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNGetInputTensorProperties(&properties, model, 2), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNGetOutputTensorProperties(NULL, model, 0), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNGetOutputTensorProperties(&properties, NULL, 0), HB_UCP_INVALID_ARGUMENT);
    EXPECT_EQ(hbDNNGetOutputTensorProperties(&properties, model, -1), HB_UCP_INVALID_ARGUMENT);
  }
}

void check_tensor_metadata(void) {
  hbDNNPackedHandle_t packed = load("nv12.hbm");
  hbDNNHandle_t model = model_of(packed, "camera");
  if (model == NULL) return;
  ROW("1", "GetInputCount, GetOutputCount tell the numbers of tensors") {
    int32_t inputs = 0;
    int32_t outputs = 0;
    EXPECT_OK(hbDNNGetInputCount(&inputs, model));
    EXPECT_OK(hbDNNGetOutputCount(&outputs, model));
    EXPECT_EQ(inputs, 2);
    EXPECT_EQ(outputs, 2);
  }
  ROW("1", "GetInputName, GetOutputName: the library's own text for each index") {
    const char* names[4] = {NULL};
    EXPECT_OK(hbDNNGetInputName(&names[0], model, 0));
    EXPECT_OK(hbDNNGetInputName(&names[1], model, 1));
    EXPECT_OK(hbDNNGetOutputName(&names[2], model, 0));
    EXPECT_OK(hbDNNGetOutputName(&names[3], model, 1));
    EXPECT(strcmp(names[0], "image_y") == 0 && strcmp(names[1], "image_uv") == 0);
    EXPECT(strcmp(names[2], "luma") == 0 && strcmp(names[3], "chroma") == 0);
    const char* again = NULL;
    EXPECT_OK(hbDNNGetInputName(&again, model, 0));
    EXPECT(again == names[0]);
  }
  ROW("1", "tensor properties are filled by value, 176 bytes and no more") {
    struct {
      hbDNNTensorProperties properties;
      unsigned char behind[64];
    } guarded;
    memset(&guarded, 0xA5, sizeof(guarded));
    EXPECT_OK(hbDNNGetInputTensorProperties(&guarded.properties, model, 1));
    for (size_t i = 0; i < sizeof(guarded.behind); ++i) EXPECT(guarded.behind[i] == 0xA5);
    EXPECT_EQ(guarded.properties.validShape.numDimensions, 4);
    EXPECT_EQ(guarded.properties.validShape.dimensionSize[3], 2);
  }
  check_refusals(model);
  ROW("1", "scales and zero points lie in the library's memory until Release") {
    hbDNNPackedHandle_t quantized = load("quantized.hbm");
    hbDNNHandle_t with_scales = model_of(quantized, "quantized");
    hbDNNTensorProperties first;
    hbDNNTensorProperties second;
    REQUIRE_OK(hbDNNGetInputTensorProperties(&first, with_scales, 1));
    REQUIRE_OK(hbDNNGetInputTensorProperties(&second, with_scales, 1));
    EXPECT(first.scale.scaleData != NULL);
    EXPECT(first.scale.scaleData == second.scale.scaleData);
    EXPECT_OK(hbDNNRelease(quantized));
  }
  EXPECT_OK(hbDNNRelease(packed));
}
