// SPDX-License-Identifier: Apache-2.0
// The rules between the fields of one tensor or one model in a model file.
#pragma once

#include <functional>
#include <string>

#include "model_file/model_file.hpp"

namespace hbm::simulator {

// Throws; takes the field inside the tensor or model ("strides") and what is wrong with it.
using Refuse = std::function<void(const std::string& field, const std::string& text)>;

// Of a tensor whose fields each are in their ranges.
void check_tensor(const TensorSpec& tensor, bool is_input, const Refuse& refuse);

// Of the calls of a model.
void check_calls(const ModelSpec& model, const Refuse& refuse);

// "5 is outside 1..4"
[[nodiscard]] std::string outside(uint64_t number, uint64_t low, uint64_t high);

}  // namespace hbm::simulator
