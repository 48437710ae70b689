// SPDX-License-Identifier: Apache-2.0
// Chooses among the loops of quantisation by what the processor can do.
#include "core/tensors/quantization_rows.hpp"

namespace hbm {

#if defined(__x86_64__)
extern const RowTable rows_for_avx2;
#endif

const RowTable& rows_for_this_processor() noexcept {
#if defined(__x86_64__)
  static const bool has_avx2 = __builtin_cpu_supports("avx2") != 0;
  if (has_avx2) return rows_for_avx2;
#endif
  return rows_for_any_processor;
}

}  // namespace hbm
