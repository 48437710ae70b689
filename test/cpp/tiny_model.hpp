// SPDX-License-Identifier: Apache-2.0
// Small model files made in memory, so that C++ tests need no Python and no file from elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "abi/hb_dnn.h"
#include "abi/strided_copy.hpp"

namespace hbm::test {

// One tensor of a tiny model; both sides of the one node look alike.
struct TinyTensor {
  std::string name;
  Extents shape;                  // -1: dynamic
  Extents strides;                // empty: dense; -1: dynamic
  int64_t aligned_byte_size = 0;  // 0: computed from the strides
  std::string description = "";
  std::vector<float> scales = {};
  int32_t axis = 0;
};

// A function call; without a graph it only takes time.
struct TinyCall {
  std::string graph = "";
  uint64_t latency_us = 0;
};

// A model of one ONNX node: `op` on `node_inputs` gives `outputs[0]`.
struct TinyModel {
  std::string name = "tiny";
  std::string op = "Add";
  std::vector<std::string> node_inputs = {"x", "x"};
  std::vector<TinyTensor> inputs;
  std::vector<TinyTensor> outputs;
  int32_t data_type = HB_DNN_TENSOR_TYPE_F32;
  int32_t onnx_type = 1;  // TensorProto.FLOAT
  int64_t element_size = 4;
  uint64_t latency_us = 0;
  std::string description = "";
  uint32_t core_count = 1;
  uint32_t max_time_per_fc_us = 0;
  std::vector<TinyCall> calls = {};  // empty: one call of that node and latency
};

namespace proto {

// The few pieces of protobuf that an ONNX model of one node needs.
inline std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7U) bytes += static_cast<char>(value | 0x80U);
  return bytes + static_cast<char>(value);
}
inline std::string number(uint32_t field, uint64_t value) {
  return varint(field << 3U) + varint(value);
}
inline std::string bytes(uint32_t field, const std::string& value) {
  return varint(field << 3U | 2U) + varint(value.size()) + value;
}
inline std::string value_info(const TinyTensor& tensor, int32_t onnx_type) {
  std::string shape;
  for (const int64_t dim : tensor.shape) {
    shape += bytes(1, dim < 0 ? bytes(2, "any") : number(1, static_cast<uint64_t>(dim)));
  }
  const std::string type = number(1, static_cast<uint64_t>(onnx_type)) + bytes(2, shape);
  return bytes(1, tensor.name) + bytes(2, bytes(1, type));
}

}  // namespace proto

inline std::string onnx_of(const TinyModel& model) {
  std::string node;
  for (const std::string& input : model.node_inputs) node += proto::bytes(1, input);
  node += proto::bytes(2, model.outputs[0].name) + proto::bytes(4, model.op);
  std::string graph = proto::bytes(1, node) + proto::bytes(2, "tiny");
  for (const TinyTensor& input : model.inputs) {
    graph += proto::bytes(11, proto::value_info(input, model.onnx_type));
  }
  graph += proto::bytes(12, proto::value_info(model.outputs[0], model.onnx_type));
  return proto::number(1, 8) + proto::bytes(7, graph) +
         proto::bytes(8, proto::bytes(1, "") + proto::number(2, 13));
}

inline uint32_t crc32(const std::string& data) {
  uint32_t crc = 0xFFFFFFFFU;
  for (const char byte : data) {
    crc ^= static_cast<uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ (0xEDB88320U & (0U - (crc & 1U)));
  }
  return ~crc;
}

template <typename Number>
std::string raw(Number value) {
  std::string data(sizeof(Number), '\0');
  std::memcpy(data.data(), &value, sizeof(Number));
  return data;
}

inline std::string text(const std::string& value) {
  return raw(static_cast<uint32_t>(value.size())) + value;
}

inline std::string tensor_metadata(const TinyTensor& tensor, const TinyModel& model) {
  const Extents strides =
      tensor.strides.empty() ? dense_strides(tensor.shape, model.element_size) : tensor.strides;
  std::string data = text(tensor.name) + text(tensor.description) +
                     raw(static_cast<uint32_t>(model.data_type)) +
                     raw(static_cast<uint32_t>(tensor.shape.size()));
  for (const int64_t dim : tensor.shape) data += raw(static_cast<int32_t>(dim));
  for (const int64_t stride : strides) data += raw(stride);
  data +=
      raw(tensor.aligned_byte_size != 0 ? tensor.aligned_byte_size : strides[0] * tensor.shape[0]);
  data += raw(static_cast<uint32_t>(tensor.scales.empty() ? 0 : 1)) + raw(tensor.axis) +
          raw(static_cast<uint32_t>(tensor.scales.size()));
  for (const float scale : tensor.scales) data += raw(scale);
  return data + raw(uint32_t{0});
}

inline std::vector<TinyCall> calls_of(const TinyModel& model) {
  if (!model.calls.empty()) return model.calls;
  return {{onnx_of(model), model.latency_us}};
}

// The bytes of a model file as doc/model_file.md describes it.
inline std::string file_of(const std::vector<TinyModel>& models,
                           const std::string& description = "", const std::string& march = "") {
  std::string metadata;
  std::string graphs;
  // Graph offsets depend on the metadata's size, which does not depend on them: two passes.
  for (int pass = 0; pass < 2; ++pass) {
    const std::size_t begin = 32 + metadata.size();
    graphs.clear();
    metadata = text(description) + text(march) + raw(static_cast<uint32_t>(models.size()));
    for (const TinyModel& model : models) {
      const std::vector<TinyCall> calls = calls_of(model);
      metadata += text(model.name) + text(model.description) + raw(model.core_count) +
                  raw(model.max_time_per_fc_us) + raw(static_cast<uint32_t>(calls.size()));
      for (const TinyCall& call : calls) {
        if (!call.graph.empty()) graphs.resize((begin + graphs.size() + 63) / 64 * 64 - begin);
        metadata += raw(static_cast<uint64_t>(call.graph.empty() ? 0 : begin + graphs.size())) +
                    raw(static_cast<uint64_t>(call.graph.size())) + raw(crc32(call.graph)) +
                    raw(call.latency_us);
        graphs += call.graph;
      }
      metadata += raw(static_cast<uint32_t>(model.inputs.size()));
      for (const TinyTensor& input : model.inputs) metadata += tensor_metadata(input, model);
      metadata += raw(static_cast<uint32_t>(model.outputs.size()));
      for (const TinyTensor& output : model.outputs) metadata += tensor_metadata(output, model);
    }
  }
  const uint64_t size = 32 + metadata.size() + graphs.size();
  return std::string("\x89HBMSIM\n", 8) + raw(uint32_t{2}) + raw(crc32(metadata)) + raw(size) +
         raw(static_cast<uint64_t>(metadata.size())) + metadata + graphs;
}

// y = x + x on F32.
inline TinyModel doubling_model(const Extents& shape = {1, 4}, uint64_t latency_us = 0,
                                const std::string& name = "doubling") {
  TinyModel model;
  model.name = name;
  model.inputs = {{"x", shape, {}}};
  model.outputs = {{"y", shape, {}}};
  model.latency_us = latency_us;
  return model;
}

// y = x on U8, with a row pitch that the caller chooses: strides −1 as NV12 planes have them.
inline TinyModel plane_model(int64_t height, int64_t width) {
  TinyModel model;
  model.name = "plane";
  model.op = "Identity";
  model.node_inputs = {"x"};
  model.data_type = HB_DNN_TENSOR_TYPE_U8;
  model.onnx_type = 2;  // TensorProto.UINT8
  model.element_size = 1;
  model.inputs = {{"x", {1, height, width, 1}, {-1, -1, 1, 1}, -1}};
  model.outputs = {{"y", {1, height, width, 1}, {}}};
  return model;
}

}  // namespace hbm::test
