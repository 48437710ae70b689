// SPDX-License-Identifier: Apache-2.0
// Looks through a serialised ONNX model for references to other files, before the engine sees it.
#pragma once

#include <cstddef>
#include <string>

namespace hbm::simulator {

// Why the engine must not get these bytes ("keeps data of a tensor in another file", …), or "".
// The engine would open the path of a tensor with external data. What protobuf itself would refuse
// is refused too, so that the two cannot read the same bytes differently. No allocation depends on
// the bytes.
[[nodiscard]] std::string graph_problem(const std::byte* bytes, std::size_t size);

}  // namespace hbm::simulator
