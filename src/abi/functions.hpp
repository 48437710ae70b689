// SPDX-License-Identifier: Apache-2.0
// The one list of the ABI's functions: loader, simulator exports and tests are made from it.
#pragma once

#include "hb_dnn.h"

// X(name): each function exported by libhbucp.so.
#define HBM_UCP_FUNCTIONS(X) \
  X(hbUCPGetVersion)         \
  X(hbUCPGetSocName)         \
  X(hbUCPMalloc)             \
  X(hbUCPMallocCached)       \
  X(hbUCPMemFlush)           \
  X(hbUCPFree)               \
  X(hbUCPSubmitTask)         \
  X(hbUCPWaitTaskDone)       \
  X(hbUCPSetTaskDoneCb)      \
  X(hbUCPReleaseTask)        \
  X(hbUCPGetErrorDesc)

// X(name): each function exported by libdnn.so.
#define HBM_DNN_FUNCTIONS(X)        \
  X(hbDNNGetVersion)                \
  X(hbDNNGetErrorDesc)              \
  X(hbDNNInitializeFromFiles)       \
  X(hbDNNInitializeFromDDR)         \
  X(hbDNNRelease)                   \
  X(hbDNNGetModelNameList)          \
  X(hbDNNGetModelHandle)            \
  X(hbDNNGetModelDesc)              \
  X(hbDNNGetHBMDesc)                \
  X(hbDNNGetCompileBpuCoreNum)      \
  X(hbDNNGetInputCount)             \
  X(hbDNNGetInputName)              \
  X(hbDNNGetInputTensorProperties)  \
  X(hbDNNGetInputDesc)              \
  X(hbDNNGetOutputCount)            \
  X(hbDNNGetOutputName)             \
  X(hbDNNGetOutputTensorProperties) \
  X(hbDNNGetOutputDesc)             \
  X(hbDNNInferV2)                   \
  X(hbDNNGetTaskOutputTensorProperties)
