// SPDX-License-Identifier: Apache-2.0
// The accelerator's pair of libraries, opened at run time, as one table of functions.
#pragma once

#include <memory>
#include <string>

#include "abi/chips.hpp"
#include "abi/functions.hpp"
#include "core/board/fork_guard.hpp"

namespace hbm {

class Library {
 public:
  // Opens libhbucp.so and libdnn.so in `folder`, or where the loader finds them if it is empty.
  // Throws Error(kLibrary).
  [[nodiscard]] static std::shared_ptr<const Library> open(const std::string& folder);

  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  ~Library() = default;

  [[nodiscard]] const std::string& folder() const noexcept { return folder_; }
  [[nodiscard]] bool is_simulator() const noexcept { return is_simulator_; }
  // BPU cores of the chip; kMostBpuCores when the chip is not known.
  [[nodiscard]] int core_count() const noexcept { return core_count_; }
  // False in a forked child, where nothing of the accelerator may be called, not even to free.
  [[nodiscard]] bool is_usable() const noexcept { return fork_guard_.is_own_process(); }
  // Throws Error(kLibrary) in a forked child.
  void check_usable() const { fork_guard_.check_own_process(); }
  [[nodiscard]] std::string ucp_version() const;
  [[nodiscard]] std::string dnn_version() const;
  // The board's name, such as "D-Robotics RDK S100 V0P5"; empty if the library does not tell.
  [[nodiscard]] std::string soc_name() const;

  // The functions of the ABI under their own names; see is_optional for those that may be null.
#define HBM_FUNCTION_POINTER(name) decltype(&::name) name = nullptr;
  HBM_UCP_FUNCTIONS(HBM_FUNCTION_POINTER)
  HBM_DNN_FUNCTIONS(HBM_FUNCTION_POINTER)
#undef HBM_FUNCTION_POINTER

 private:
  struct Close {
    void operator()(void* library) const noexcept;
  };
  using Handle = std::unique_ptr<void, Close>;

  Library() = default;
  [[nodiscard]] static Handle open_one(const std::string& folder, const char* name, int flags = 0);
  void resolve();
  void find_out_chip();

  ForkGuard fork_guard_;
  std::string folder_;
  Handle ucp_;
  Handle dnn_;
  bool is_simulator_ = false;
  int core_count_ = kMostBpuCores;
};

}  // namespace hbm
