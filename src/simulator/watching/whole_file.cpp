// SPDX-License-Identifier: Apache-2.0
// Writes beside the target and renames, relative to a folder that stays the same one.
#include "simulator/watching/whole_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <random>

namespace hbm::simulator {
namespace {

constexpr int kTries = 8;  // of names: 64 random bits do not meet twice by chance

std::string part_name() {
  std::random_device random;
  const uint64_t number = (static_cast<uint64_t>(random()) << 32U) | random();
  char text[32];
  std::snprintf(text, sizeof(text), ".%016llx.part", static_cast<unsigned long long>(number));
  return text;
}

const char* kind_of(mode_t mode) {
  if (S_ISREG(mode)) return nullptr;
  if (S_ISLNK(mode)) return "is a symbolic link, no regular file";
  if (S_ISDIR(mode)) return "is a folder, no regular file";
  if (S_ISFIFO(mode)) return "is a pipe, no regular file";
  return "is a device or a socket, no regular file";
}

}  // namespace

WholeFile::WholeFile(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  folder_ = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  name_ = slash == std::string::npos ? path : path.substr(slash + 1);
  folder_descriptor_ = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_descriptor_ < 0) {
    static_cast<void>(fail(std::strerror(errno)));
    return;
  }
  if (!may_replace()) return;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    part_ = part_name();
    const int file = ::openat(folder_descriptor_, part_.c_str(),
                              O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (file < 0 && errno == EEXIST) continue;
    stream_ = file < 0 ? nullptr : ::fdopen(file, "w");
    break;
  }
  if (stream_ == nullptr) static_cast<void>(fail(std::strerror(errno)));
}

WholeFile::~WholeFile() {
  if (stream_ != nullptr) {
    std::fclose(stream_);
    static_cast<void>(::unlinkat(folder_descriptor_, part_.c_str(), 0));
  }
  if (folder_descriptor_ >= 0) ::close(folder_descriptor_);
}

bool WholeFile::keep() {
  if (stream_ == nullptr) return false;
  if (std::fflush(stream_) != 0 || std::ferror(stream_) != 0 || ::fsync(::fileno(stream_)) != 0) {
    return fail(std::strerror(errno));
  }
  if (!may_replace()) return false;
  if (::renameat(folder_descriptor_, part_.c_str(), folder_descriptor_, name_.c_str()) != 0) {
    return fail(std::strerror(errno));
  }
  std::fclose(stream_);
  stream_ = nullptr;
  return true;
}

bool WholeFile::may_replace() {
  if (name_.empty()) return fail("is a folder, no regular file");
  struct stat found {};
  if (::fstatat(folder_descriptor_, name_.c_str(), &found, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT || fail(std::strerror(errno));
  }
  const char* const kind = kind_of(found.st_mode);
  return kind == nullptr || fail(kind);
}

bool WholeFile::fail(const char* text) {
  error_ = text;
  return false;
}

}  // namespace hbm::simulator
