// SPDX-License-Identifier: Apache-2.0
// The core's one exception, and the check that turns a status of the ABI into it.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace hbm {

// What went wrong, for the caller who wants to react; the status has the details.
enum class ErrorKind {
  kInput,    // an argument of the caller
  kLibrary,  // the accelerator's libraries are missing or foreign
  kModel,    // a model file
  kMemory,   // no device memory
  kTask,     // the accelerator failed to run
  kTimeout,  // a deadline passed
};

// Where it happened; empty where it does not apply.
struct ErrorPlace {
  std::string model;
  std::string tensor;
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

// Throws unless the status is success; `doing` completes "failed to …". The accelerator's own
// log lines of this thread since the call are appended.
void check(int32_t status, const char* call, const std::string& doing,
           const ErrorPlace& place = {});

}  // namespace hbm
