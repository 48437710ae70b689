// SPDX-License-Identifier: Apache-2.0
// Opens the accelerator's libraries and resolves the ABI's functions.
#include "core/board/library.hpp"

#include <dlfcn.h>

#include <string_view>

#include "core/board/error.hpp"
#include "core/board/log.hpp"

namespace hbm {
namespace {

// Functions that older libraries of the same ABI lack and that we can do without: the vendor's own
// Python binding imports none of them.
bool is_optional(std::string_view name) {
  return name == "hbDNNGetCompileBpuCoreNum" || name == "hbUCPGetVersion" ||
         name == "hbUCPGetSocName" || name == "hbUCPMalloc" || name == "hbUCPSetTaskDoneCb" ||
         name == "hbDNNInitializeFromDDR";
}

template <typename Function>
Function symbol(void* library, const char* name) {
  return reinterpret_cast<Function>(::dlsym(library, name));
}

template <typename Function>
void resolve_one(void* library, const char* name, Function& function) {
  function = symbol<Function>(library, name);
  if (function == nullptr && !is_optional(name)) {
    throw Error(ErrorKind::kLibrary,
                std::string("the accelerator's libraries lack the function ") + name +
                    "; they are not of the UCP family (S100, S100P, S600) that is supported");
  }
}

int cores_of(std::string_view soc) {
  const Chip* chip = chip_of_board(soc);
  return chip != nullptr ? chip->core_count : kMostBpuCores;
}

std::string text_or_empty(const char* text) { return text != nullptr ? text : ""; }

}  // namespace

void Library::Close::operator()(void* library) const noexcept { ::dlclose(library); }

std::shared_ptr<const Library> Library::open(const std::string& folder) {
  std::shared_ptr<Library> library(new Library);
  library->folder_ = folder;
  // libdnn.so needs libhbucp.so: once that is loaded, the loader takes it by its SONAME.
  library->ucp_ = open_one(folder, "libhbucp.so");
  library->dnn_ = open_one(folder, "libdnn.so");
  library->resolve();
  library->find_out_chip();
  // Unloading at the end of a program would race with the libraries' own exit handlers.
  (void)open_one(folder, "libhbucp.so", RTLD_NOLOAD | RTLD_NODELETE);
  (void)open_one(folder, "libdnn.so", RTLD_NOLOAD | RTLD_NODELETE);
  return library;
}

Library::Handle Library::open_one(const std::string& folder, const char* name, int flags) {
  const std::string path = folder.empty() ? name : folder + "/" + name;
  Handle library(::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | flags));
  if (library != nullptr) return library;
  const char* reason = ::dlerror();
  throw Error(ErrorKind::kLibrary, "cannot open " + path + ": " + text_or_empty(reason));
}

void Library::resolve() {
  if (::dlsym(dnn_.get(), "hbDNNInferV2") == nullptr &&
      ::dlsym(dnn_.get(), "hbDNNInfer") != nullptr) {
    throw Error(ErrorKind::kLibrary,
                "this libdnn.so is of the X3/X5 family, whose ABI is another one; "
                "hbm_runtime supports S100, S100P and S600");
  }
#define HBM_RESOLVE(name) resolve_one(ucp_.get(), #name, name);
  HBM_UCP_FUNCTIONS(HBM_RESOLVE)
#undef HBM_RESOLVE
#define HBM_RESOLVE(name) resolve_one(dnn_.get(), #name, name);
  HBM_DNN_FUNCTIONS(HBM_RESOLVE)
#undef HBM_RESOLVE
}

void Library::find_out_chip() {
  // Only our simulator exports these. The sink comes first: any other call may log.
  using SetLogSink = void (*)(void (*)(int, const char*));
  using CoreCount = int (*)();
  const auto set_log_sink = symbol<SetLogSink>(ucp_.get(), "hbSimSetLogSink");
  const auto core_count = symbol<CoreCount>(ucp_.get(), "hbSimCoreCount");
  is_simulator_ = set_log_sink != nullptr && core_count != nullptr;
  if (is_simulator_) set_log_sink(&record_log_line);
  core_count_ = is_simulator_ ? core_count() : cores_of(soc_name());
}

std::string Library::ucp_version() const {
  return hbUCPGetVersion != nullptr ? text_or_empty(hbUCPGetVersion()) : "";
}

std::string Library::dnn_version() const { return text_or_empty(hbDNNGetVersion()); }

std::string Library::soc_name() const {
  return hbUCPGetSocName != nullptr ? text_or_empty(hbUCPGetSocName()) : "";
}

}  // namespace hbm
