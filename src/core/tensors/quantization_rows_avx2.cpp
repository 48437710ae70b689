// SPDX-License-Identifier: Apache-2.0
// The loops of quantisation once more, compiled for x86 processors with AVX2.
#define HBM_ROWS_PROCESSOR rows_for_avx2
#include "core/tensors/quantization_rows.cpp"
