// SPDX-License-Identifier: Apache-2.0
// A file that takes its name when all of it is written; never through a link.
#pragma once

#include <cstdio>
#include <string>

namespace hbm::simulator {

class WholeFile {
 public:
  // Makes a file beside `path` that nobody can foresee the name of. What stands at `path` must be a
  // regular file, if anything.
  explicit WholeFile(const std::string& path);
  WholeFile(const WholeFile&) = delete;
  WholeFile& operator=(const WholeFile&) = delete;
  // Removes what did not take its place.
  ~WholeFile();

  // To write to; null when there is none, and then error() says why.
  [[nodiscard]] std::FILE* stream() const noexcept { return stream_; }
  // Puts the file in its place; false when that failed, and then error() says why.
  [[nodiscard]] bool keep();
  // A clause, e.g. "is a symbolic link, no regular file".
  [[nodiscard]] const std::string& error() const noexcept { return error_; }

 private:
  // False and an error where something else than a regular file stands at the path.
  [[nodiscard]] bool may_replace();
  bool fail(const char* text);

  std::string folder_;
  std::string name_;
  std::string part_;
  std::string error_;
  int folder_descriptor_ = -1;
  std::FILE* stream_ = nullptr;
};

}  // namespace hbm::simulator
