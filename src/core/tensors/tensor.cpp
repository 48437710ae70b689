// SPDX-License-Identifier: Apache-2.0
// Reads a tensor's properties out of the ABI's struct.
#include "core/tensors/tensor.hpp"

#include <utility>

#include "core/board/error.hpp"
#include "core/tensors/data_type.hpp"

namespace hbm {

TensorInfo make_tensor_info(std::string name, std::string description,
                            const hbDNNTensorProperties& properties, const std::string& model) {
  const int32_t rank = properties.validShape.numDimensions;
  if (rank < 1 || rank > HB_DNN_TENSOR_MAX_DIMENSIONS) {
    throw Error(ErrorKind::kModel,
                "model '" + model + "', tensor '" + name + "': the accelerator reports " +
                    std::to_string(rank) + " dimensions, possible are 1 to 10",
                {model, name});
  }
  static_cast<void>(data_type_row(properties.tensorType));
  TensorInfo info;
  info.name = std::move(name);
  info.description = std::move(description);
  info.properties = properties;
  info.data_type = properties.tensorType;
  info.shape.assign(properties.validShape.dimensionSize,
                    properties.validShape.dimensionSize + rank);
  info.strides.assign(properties.stride, properties.stride + rank);
  info.aligned_byte_size = properties.alignedByteSize;
  info.quantization.type = properties.quantiType;
  info.quantization.axis = properties.quantizeAxis;
  const hbDNNQuantiScale& scale = properties.scale;
  if (scale.scaleData != nullptr && scale.scaleLen > 0) {
    info.quantization.scales.assign(scale.scaleData, scale.scaleData + scale.scaleLen);
  }
  if (scale.zeroPointData != nullptr && scale.zeroPointLen > 0) {
    info.quantization.zero_points.assign(scale.zeroPointData,
                                         scale.zeroPointData + scale.zeroPointLen);
  }
  return info;
}

}  // namespace hbm
