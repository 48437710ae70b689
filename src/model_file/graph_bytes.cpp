// SPDX-License-Identifier: Apache-2.0
// Walks the messages of a serialised ONNX model that lead to tensors.
#include "model_file/graph_bytes.hpp"

#include <array>
#include <cstdint>
#include <cstring>
#include <stdexcept>

namespace hbm::simulator {
namespace {

// Deeper nesting is refused by protobuf itself.
constexpr std::size_t kDeepest = 100;

class MalformedError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

enum class Message { kModel, kTraining, kFunction, kGraph, kNode, kAttribute, kSparse, kTensor };

constexpr uint64_t kTensorExternalData = 13;
constexpr uint64_t kTensorDataLocation = 14;

struct Child {
  Message message;
  uint64_t field;
  Message inner;
};

// Only the fields that lead to a tensor.
constexpr std::array<Child, 19> kChildren = {{
    {Message::kModel, 7, Message::kGraph},         {Message::kModel, 20, Message::kTraining},
    {Message::kModel, 25, Message::kFunction},     {Message::kTraining, 1, Message::kGraph},
    {Message::kTraining, 2, Message::kGraph},      {Message::kFunction, 7, Message::kNode},
    {Message::kFunction, 11, Message::kAttribute}, {Message::kGraph, 1, Message::kNode},
    {Message::kGraph, 5, Message::kTensor},        {Message::kGraph, 15, Message::kSparse},
    {Message::kNode, 5, Message::kAttribute},      {Message::kAttribute, 5, Message::kTensor},
    {Message::kAttribute, 6, Message::kGraph},     {Message::kAttribute, 10, Message::kTensor},
    {Message::kAttribute, 11, Message::kGraph},    {Message::kAttribute, 22, Message::kSparse},
    {Message::kAttribute, 23, Message::kSparse},   {Message::kSparse, 1, Message::kTensor},
    {Message::kSparse, 2, Message::kTensor},
}};

const Child* child_of(Message message, uint64_t field) {
  for (const Child& child : kChildren) {
    if (child.message == message && child.field == field) return &child;
  }
  return nullptr;
}

struct Open {
  Message message;
  std::size_t at;
  std::size_t end;
};

class Walk {
 public:
  Walk(const std::byte* bytes, std::size_t size) : bytes_(bytes), open_{Message::kModel, 0, size} {}

  // True when a tensor of the model has external data. Throws MalformedError.
  [[nodiscard]] bool finds_external_data() {
    for (;;) {
      while (open_.at == open_.end) {
        if (depth_ == 0) return false;
        open_ = outer_[--depth_];
      }
      if (field_is_external()) return true;
    }
  }

 private:
  bool field_is_external() {
    const uint64_t tag = varint();
    const uint64_t field = tag >> 3U;
    const auto number_of = [](uint64_t number) { return " " + std::to_string(number) + " before"; };
    if (field == 0 || tag >> 32U != 0) malformed("field number" + number_of(field), open_.at);
    uint64_t value = 0;
    std::size_t begin = open_.at;
    switch (tag & 7U) {
      case 0:
        value = varint();
        break;
      case 1:
        skip(8);
        break;
      case 2:
        value = varint();
        begin = open_.at;
        skip(value);
        break;
      case 5:
        skip(4);
        break;
      default:
        malformed("wire type" + number_of(tag & 7U), begin);
    }
    if (open_.message == Message::kTensor &&
        (field == kTensorExternalData || (field == kTensorDataLocation && value != 0))) {
      return true;
    }
    if ((tag & 7U) == 2) {
      if (const Child* child = child_of(open_.message, field)) descend(child->inner, begin);
    }
    return false;
  }

  void descend(Message inner, std::size_t begin) {
    if (depth_ == kDeepest) {
      throw MalformedError("its messages are nested more than 100 deep");
    }
    outer_[depth_++] = open_;
    open_ = {inner, begin, open_.at};
  }

  uint64_t varint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
      if (open_.at >= open_.end) malformed("it ends inside a number at", open_.at);
      const auto byte = static_cast<uint64_t>(bytes_[open_.at++]);
      value |= (byte & 0x7FU) << shift;
      if (byte < 0x80U) return value;
    }
    malformed("a number of more than 10 bytes before", open_.at);
  }

  void skip(uint64_t count) {
    if (count > open_.end - open_.at) malformed("it ends inside a field at", open_.at);
    open_.at += static_cast<std::size_t>(count);
  }

  [[noreturn]] static void malformed(const std::string& what, std::size_t at) {
    throw MalformedError(what + " byte " + std::to_string(at));
  }

  const std::byte* bytes_;
  Open open_;
  std::array<Open, kDeepest> outer_{};
  std::size_t depth_ = 0;
};

}  // namespace

std::string graph_problem(const std::byte* bytes, std::size_t size) {
  static constexpr std::array<char, 4> other_format = {'O', 'R', 'T', 'M'};
  if (size >= 8 && std::memcmp(bytes + 4, other_format.data(), other_format.size()) == 0) {
    return "is no ONNX model but one in the engine's own format";
  }
  try {
    if (!Walk(bytes, size).finds_external_data()) return "";
    return "keeps data of a tensor in another file (external data)";
  } catch (const MalformedError& error) {
    return std::string("is no ONNX model: ") + error.what();
  }
}

}  // namespace hbm::simulator
