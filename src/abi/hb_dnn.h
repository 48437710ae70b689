// SPDX-License-Identifier: Apache-2.0
// The model half of the accelerator's C ABI (libdnn.so), declared in our own words.
// Sources as in hb_ucp.h.
#ifndef HBM_ABI_HB_DNN_H_
#define HBM_ABI_HB_DNN_H_

#include <stdint.h>

#include "hb_dnn_status.h"
#include "hb_ucp.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HB_DNN_TENSOR_MAX_DIMENSIONS 10

typedef void* hbDNNPackedHandle_t;
typedef void* hbDNNHandle_t;

typedef enum hbDNNDataType {
  HB_DNN_TENSOR_TYPE_S4 = 0,
  HB_DNN_TENSOR_TYPE_U4 = 1,
  HB_DNN_TENSOR_TYPE_S8 = 2,
  HB_DNN_TENSOR_TYPE_U8 = 3,
  HB_DNN_TENSOR_TYPE_F16 = 4,
  HB_DNN_TENSOR_TYPE_S16 = 5,
  HB_DNN_TENSOR_TYPE_U16 = 6,
  HB_DNN_TENSOR_TYPE_F32 = 7,
  HB_DNN_TENSOR_TYPE_S32 = 8,
  HB_DNN_TENSOR_TYPE_U32 = 9,
  HB_DNN_TENSOR_TYPE_F64 = 10,
  HB_DNN_TENSOR_TYPE_S64 = 11,
  HB_DNN_TENSOR_TYPE_U64 = 12,
  HB_DNN_TENSOR_TYPE_BOOL8 = 13,
  HB_DNN_TENSOR_TYPE_MAX = 14,
} hbDNNDataType;

typedef enum hbDNNQuantiType {
  HB_DNN_QUANTI_NONE = 0,
  HB_DNN_QUANTI_SCALE = 1,
} hbDNNQuantiType;

typedef enum hbDNNDescType {
  HB_DNN_DESC_TYPE_UNKNOWN = 0,
  HB_DNN_DESC_TYPE_STRING = 1,
} hbDNNDescType;

typedef struct hbDNNTensorShape {
  int32_t dimensionSize[HB_DNN_TENSOR_MAX_DIMENSIONS];
  int32_t numDimensions;
} hbDNNTensorShape;

typedef struct hbDNNQuantiScale {
  int32_t scaleLen;
  float* scaleData;
  int32_t zeroPointLen;
  int32_t* zeroPointData;
} hbDNNQuantiScale;

typedef struct hbDNNTensorProperties {
  hbDNNTensorShape validShape;  // -1 in an input dimension: the caller fills it in
  int32_t tensorType;           // hbDNNDataType
  hbDNNQuantiScale scale;
  hbDNNQuantiType quantiType;
  int32_t quantizeAxis;
  int64_t alignedByteSize;                       // bytes to allocate; -1: stride[0] * dim[0]
  int64_t stride[HB_DNN_TENSOR_MAX_DIMENSIONS];  // bytes; -1 in an input: the caller fills it in
} hbDNNTensorProperties;

typedef struct hbDNNTensor {
  hbUCPSysMem sysMem;
  hbDNNTensorProperties properties;
} hbDNNTensor;

const char* hbDNNGetVersion(void);

int32_t hbDNNInitializeFromFiles(hbDNNPackedHandle_t* packed, const char** files, int32_t count);
int32_t hbDNNInitializeFromDDR(hbDNNPackedHandle_t* packed, const void** data, int32_t* lengths,
                               int32_t count);
int32_t hbDNNRelease(hbDNNPackedHandle_t packed);

// Names, descriptions, scales and zero points belong to the library until hbDNNRelease.
int32_t hbDNNGetModelNameList(const char*** names, int32_t* count, hbDNNPackedHandle_t packed);
int32_t hbDNNGetModelHandle(hbDNNHandle_t* model, hbDNNPackedHandle_t packed, const char* name);
int32_t hbDNNGetModelDesc(const char** text, uint32_t* size, int32_t* type, hbDNNHandle_t model);
int32_t hbDNNGetHBMDesc(const char** text, uint32_t* size, int32_t* type,
                        hbDNNPackedHandle_t packed, int32_t file_index);
int32_t hbDNNGetCompileBpuCoreNum(int32_t* count, hbDNNHandle_t model);

int32_t hbDNNGetInputCount(int32_t* count, hbDNNHandle_t model);
int32_t hbDNNGetInputName(const char** name, hbDNNHandle_t model, int32_t index);
int32_t hbDNNGetInputTensorProperties(hbDNNTensorProperties* properties, hbDNNHandle_t model,
                                      int32_t index);
int32_t hbDNNGetInputDesc(const char** text, uint32_t* size, int32_t* type, hbDNNHandle_t model,
                          int32_t index);

int32_t hbDNNGetOutputCount(int32_t* count, hbDNNHandle_t model);
int32_t hbDNNGetOutputName(const char** name, hbDNNHandle_t model, int32_t index);
int32_t hbDNNGetOutputTensorProperties(hbDNNTensorProperties* properties, hbDNNHandle_t model,
                                       int32_t index);
int32_t hbDNNGetOutputDesc(const char** text, uint32_t* size, int32_t* type, hbDNNHandle_t model,
                           int32_t index);

// task null: runs at once. *task null: makes a task. *task set: appends to that unsubmitted task.
int32_t hbDNNInferV2(hbUCPTaskHandle_t* task, hbDNNTensor* outputs, const hbDNNTensor* inputs,
                     hbDNNHandle_t model);
// After completion and before release (hbDNNGetTaskOutputTensorProperties): the shapes and strides
// that the run really produced.
int32_t hbDNNGetTaskOutputTensorProperties(hbDNNTensorProperties* properties,
                                           hbUCPTaskHandle_t task, int32_t sub_task,
                                           int32_t output_index);

#ifdef __cplusplus
}  // extern "C"
#endif

#endif  // HBM_ABI_HB_DNN_H_
