// SPDX-License-Identifier: Apache-2.0
// The core's one exception, and the check that turns a status of the ABI into it.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace hbm {

// What went wrong, for the caller who wants to react; the status has the details.
enum class ErrorKind {
  kInput,    // an argument of the caller
  kLibrary,  // the accelerator's libraries are missing or foreign
  kModel,    // a model file
  kMemory,   // no device memory
  kTask,     // the accelerator failed to run
  kTimeout,  // a deadline passed
  kBusy,     // no place is free, or the object is in use
  kClosed,   // the runtime was closed
};

// Where it happened; empty where it does not apply.
struct ErrorPlace {
  std::string model;
  std::string tensor;
};

// The same of somebody else's text; copied only once there is an error.
struct PlaceView {
  PlaceView() = default;
  PlaceView(std::string_view model_name, std::string_view tensor_name)
      : model(model_name), tensor(tensor_name) {}
  PlaceView(const ErrorPlace& place) : model(place.model), tensor(place.tensor) {}

  std::string_view model;
  std::string_view tensor;
};

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message, ErrorPlace place = {}, std::string call = {},
        int32_t status = 0)
      : std::runtime_error(message),
        kind_(kind),
        place_(std::move(place)),
        call_(std::move(call)),
        status_(status) {}

  [[nodiscard]] ErrorKind kind() const noexcept { return kind_; }
  [[nodiscard]] const std::string& model() const noexcept { return place_.model; }
  [[nodiscard]] const std::string& tensor() const noexcept { return place_.tensor; }
  [[nodiscard]] const std::string& call() const noexcept { return call_; }
  [[nodiscard]] int32_t status() const noexcept { return status_; }

 private:
  ErrorKind kind_;
  ErrorPlace place_;
  std::string call_;
  int32_t status_;
};

// "HB_UCP_TASK_TIMEOUT", or "unknown status" for a code that is none of the ABI's.
[[nodiscard]] std::string status_name(int32_t status);

// Throws for a status that is not success; `doing` completes "failed to …". The accelerator's own
// log lines of this thread since the call are appended.
[[noreturn]] void fail(int32_t status, const char* call, std::string_view doing, PlaceView place);

inline void check(int32_t status, const char* call, std::string_view doing, PlaceView place = {}) {
  if (status != 0) fail(status, call, doing, place);
}

}  // namespace hbm
