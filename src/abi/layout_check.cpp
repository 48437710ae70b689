// SPDX-License-Identifier: Apache-2.0
// Compile-time proof that our structs have the sizes and offsets of the accelerator's ABI (LP64).
#include <cstddef>

#include "functions.hpp"

#define HBM_AT(type, field, offset) \
  static_assert(offsetof(type, field) == (offset), #type "." #field " must be at " #offset)

static_assert(sizeof(void*) == 8 && sizeof(int) == 4, "the ABI is LP64");

static_assert(sizeof(hbUCPSysMem) == 24, "hbUCPSysMem");
HBM_AT(hbUCPSysMem, phyAddr, 0);
HBM_AT(hbUCPSysMem, virAddr, 8);
HBM_AT(hbUCPSysMem, memSize, 16);

static_assert(sizeof(hbDNNTensorShape) == 44 && alignof(hbDNNTensorShape) == 4, "hbDNNTensorShape");
HBM_AT(hbDNNTensorShape, dimensionSize, 0);
HBM_AT(hbDNNTensorShape, numDimensions, 40);

static_assert(sizeof(hbDNNQuantiScale) == 32, "hbDNNQuantiScale");
HBM_AT(hbDNNQuantiScale, scaleLen, 0);
HBM_AT(hbDNNQuantiScale, scaleData, 8);
HBM_AT(hbDNNQuantiScale, zeroPointLen, 16);
HBM_AT(hbDNNQuantiScale, zeroPointData, 24);

static_assert(sizeof(hbDNNTensorProperties) == 176, "hbDNNTensorProperties");
HBM_AT(hbDNNTensorProperties, validShape, 0);
HBM_AT(hbDNNTensorProperties, tensorType, 44);
HBM_AT(hbDNNTensorProperties, scale, 48);
HBM_AT(hbDNNTensorProperties, quantiType, 80);
HBM_AT(hbDNNTensorProperties, quantizeAxis, 84);
HBM_AT(hbDNNTensorProperties, alignedByteSize, 88);
HBM_AT(hbDNNTensorProperties, stride, 96);

static_assert(sizeof(hbDNNTensor) == 200, "hbDNNTensor");
HBM_AT(hbDNNTensor, sysMem, 0);
HBM_AT(hbDNNTensor, properties, 24);

static_assert(sizeof(hbUCPSchedParam) == 32, "hbUCPSchedParam");
HBM_AT(hbUCPSchedParam, priority, 0);
HBM_AT(hbUCPSchedParam, customId, 8);
HBM_AT(hbUCPSchedParam, backend, 16);
HBM_AT(hbUCPSchedParam, deviceId, 24);

static_assert(sizeof(hbDNNQuantiType) == 4 && sizeof(hbDNNDataType) == 4, "enums are 32 bit");

#define HBM_COUNT(name) +1
static_assert(0 HBM_UCP_FUNCTIONS(HBM_COUNT) == 11, "libhbucp.so exports 11 functions");
static_assert(0 HBM_DNN_FUNCTIONS(HBM_COUNT) == 20, "libdnn.so exports 20 functions");
