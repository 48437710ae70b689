// SPDX-License-Identifier: Apache-2.0
// A small coverage-guided fuzzer for compilers without libFuzzer, with libFuzzer's options and
// names.
//
// GCC calls __sanitizer_cov_trace_pc at each edge of the target (-fsanitize-coverage=trace-pc). An
// input that reaches a new edge, or one a new order of magnitude more often, joins the corpus in
// memory. It knows less than libFuzzer: no comparisons, no dictionary, no minimising of finds.
#include <sanitizer/common_interface_defs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" {
int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size);
std::size_t LLVMFuzzerMutate(uint8_t* data, std::size_t size, std::size_t max_size);
__attribute__((weak)) std::size_t LLVMFuzzerCustomMutator(uint8_t* data, std::size_t size,
                                                          std::size_t max_size, unsigned int seed);
void __sanitizer_cov_trace_pc();
// Of ASan: an allocation that no honest file needs is a find.
const char* __asan_default_options();
}

namespace {

using Bytes = std::vector<uint8_t>;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kEdges = 1U << 14U;  // the reader has some thousand; two may share a place
constexpr unsigned kInputLimitS = 10;

struct Options {
  double max_total_time = 10;  // seconds
  uint64_t runs = UINT64_MAX;
  uint64_t seed = 1;
  std::size_t max_len = 16384;
  std::string artifact_prefix;
  std::vector<std::string> corpus;  // files and folders; found inputs are not written back
};

std::array<uint8_t, kEdges> hits;  // of the current run
std::array<uint8_t, kEdges> seen;  // bit: this order of magnitude was reached
constexpr std::array<uint8_t, 64> kUntouched{};
std::mt19937_64 generator;
std::vector<Bytes> corpus;
Bytes current;
std::string artifact_prefix;

std::size_t below(std::size_t limit) {
  return limit == 0 ? 0 : static_cast<std::size_t>(generator() % limit);
}

void write_artifact(const char* kind) {
  const std::string name =
      artifact_prefix + kind + "-" +
      std::to_string(std::hash<std::string>{}(std::string(current.begin(), current.end())));
  std::ofstream(name, std::ios::binary)
      .write(reinterpret_cast<const char*>(current.data()),
             static_cast<std::streamsize>(current.size()));
  std::fprintf(stderr, "fuzz: the input of %zu bytes is in %s\n", current.size(), name.c_str());
}

void on_death() { write_artifact("crash"); }

// Not async-signal-safe, but the process is lost anyway and the input is worth the try.
void on_signal(int number) {
  write_artifact(number == SIGALRM ? "timeout" : "crash");
  std::fprintf(stderr, "fuzz: %s\n", number == SIGALRM ? "an input took too long" : "aborted");
  ::_exit(77);
}

uint8_t magnitude(uint8_t count) {
  uint8_t bit = 0;
  while (count > 1 && bit < 7) {
    count = static_cast<uint8_t>(count >> 1U);
    ++bit;
  }
  return static_cast<uint8_t>(1U << bit);
}

// Runs the target on the current input; tells whether it reached something new.
bool run_current() {
  hits.fill(0);
  ::alarm(kInputLimitS);
  // A copy of the exact size: reading behind it is seen by ASan.
  const Bytes exact(current);
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
  ::alarm(0);
  bool is_new = false;
  for (std::size_t edge = 0; edge < kEdges; ++edge) {
    if (edge % 64 == 0 && std::memcmp(&hits[edge], kUntouched.data(), 64) == 0) {
      edge += 63;
      continue;
    }
    if (hits[edge] == 0) continue;
    const uint8_t bit = magnitude(hits[edge]);
    if ((seen[edge] & bit) == 0) {
      seen[edge] = static_cast<uint8_t>(seen[edge] | bit);
      is_new = true;
    }
  }
  return is_new;
}

std::size_t covered() {
  return static_cast<std::size_t>(
      std::count_if(seen.begin(), seen.end(), [](uint8_t bits) { return bits != 0; }));
}

void read_inputs(const std::filesystem::path& path, std::size_t max_len) {
  if (std::filesystem::is_directory(path)) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    for (const auto& file : files) read_inputs(file, max_len);
    return;
  }
  std::ifstream stream(path, std::ios::binary);
  current.assign(std::istreambuf_iterator<char>(stream), {});
  if (current.size() > max_len) return;
  run_current();
  corpus.push_back(current);
}

// Files alone are run and nothing else: to see a find again.
int run_files(const std::vector<std::string>& files) {
  for (const std::string& file : files) {
    if (!std::filesystem::is_regular_file(file)) {
      std::fprintf(stderr, "fuzz: there is no file %s\n", file.c_str());
      return 2;
    }
    read_inputs(file, SIZE_MAX);
    std::printf("fuzz: %s, %zu bytes: nothing found\n", file.c_str(), current.size());
  }
  return 0;
}

Options read_options(int argc, char** argv) {
  Options options;
  for (int index = 1; index < argc; ++index) {
    const std::string argument = argv[index];
    const std::string value = argument.substr(std::min(argument.find('=') + 1, argument.size()));
    if (argument.rfind("-max_total_time=", 0) == 0) {
      options.max_total_time = std::stod(value);
    } else if (argument.rfind("-runs=", 0) == 0) {
      options.runs = std::stoull(value);
    } else if (argument.rfind("-seed=", 0) == 0) {
      options.seed = std::stoull(value);
    } else if (argument.rfind("-max_len=", 0) == 0) {
      options.max_len = std::stoull(value);
    } else if (argument.rfind("-artifact_prefix=", 0) == 0) {
      options.artifact_prefix = value;
    } else if (argument[0] != '-') {
      options.corpus.push_back(argument);
    } else {
      std::fprintf(stderr, "fuzz: %s is ignored\n", argument.c_str());
    }
  }
  return options;
}

template <typename Number>
void change_number(Bytes& bytes) {
  if (bytes.size() < sizeof(Number)) return;
  static constexpr int64_t kNumbers[] = {0,       1,         -1,        2,         63,        64,
                                         65,      255,       256,       4096,      65535,     65536,
                                         1 << 20, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, -2};
  const std::size_t at = below(bytes.size() - sizeof(Number) + 1);
  Number value;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  if (below(2) == 0) {
    value = static_cast<Number>(kNumbers[below(std::size(kNumbers))]);
  } else {
    value = static_cast<Number>(value + static_cast<Number>(below(35)) - static_cast<Number>(17));
  }
  std::memcpy(bytes.data() + at, &value, sizeof(value));
}

void erase_part(Bytes& bytes) {
  if (bytes.empty()) return;
  const std::size_t at = below(bytes.size());
  const std::size_t count = 1 + below(std::min<std::size_t>(bytes.size() - at, 32));
  bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(at),
              bytes.begin() + static_cast<std::ptrdiff_t>(std::min(at + count, bytes.size())));
}

// A part of this input or of another one, put in or written over.
void copy_part(Bytes& bytes, const Bytes& source) {
  if (source.empty()) return;
  const std::size_t from = below(source.size());
  const std::size_t count = 1 + below(std::min<std::size_t>(source.size() - from, 64));
  const Bytes part(
      source.begin() + static_cast<std::ptrdiff_t>(from),
      source.begin() + static_cast<std::ptrdiff_t>(std::min(from + count, source.size())));
  const std::size_t at = below(bytes.size() + 1);
  if (below(2) == 0) {
    bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), part.begin(), part.end());
  } else {
    for (std::size_t index = 0; index < part.size() && at + index < bytes.size(); ++index) {
      bytes[at + index] = part[index];
    }
  }
}

void mutate_once(Bytes& bytes) {
  switch (below(8)) {
    case 0:
      if (!bytes.empty()) {
        uint8_t& byte = bytes[below(bytes.size())];
        byte = static_cast<uint8_t>(byte ^ (1U << below(8)));
      }
      break;
    case 1:
      if (!bytes.empty()) bytes[below(bytes.size())] = static_cast<uint8_t>(generator());
      break;
    case 2:
      change_number<uint32_t>(bytes);
      break;
    case 3:
      change_number<uint64_t>(bytes);
      break;
    case 4:
      change_number<uint8_t>(bytes);
      break;
    case 5:
      erase_part(bytes);
      break;
    case 6:
      copy_part(bytes, Bytes(bytes));
      break;
    default:
      copy_part(bytes, corpus[below(corpus.size())]);
  }
}

void mutate_current(std::size_t max_len) {
  const std::size_t size = current.size();
  current.resize(std::max(max_len, size));
  const auto seed = static_cast<unsigned int>(generator());
  const std::size_t mutated =
      LLVMFuzzerCustomMutator != nullptr
          ? LLVMFuzzerCustomMutator(current.data(), size, current.size(), seed)
          : LLVMFuzzerMutate(current.data(), size, current.size());
  current.resize(mutated);
}

}  // namespace

void __sanitizer_cov_trace_pc() {
  const auto address = reinterpret_cast<uintptr_t>(__builtin_return_address(0));
  uint8_t& count = hits[(address ^ (address >> 14U)) % kEdges];
  if (count < UINT8_MAX) ++count;
}

const char* __asan_default_options() { return "max_allocation_size_mb=128"; }

std::size_t LLVMFuzzerMutate(uint8_t* data, std::size_t size, std::size_t max_size) {
  Bytes bytes(data, data + size);
  for (std::size_t left = 1 + below(4); left > 0; --left) mutate_once(bytes);
  if (bytes.size() > max_size) bytes.resize(max_size);
  std::copy(bytes.begin(), bytes.end(), data);
  return bytes.size();
}

int main(int argc, char** argv) {
  const Options options = read_options(argc, argv);
  artifact_prefix = options.artifact_prefix;
  generator.seed(options.seed);
  __sanitizer_set_death_callback(&on_death);
  std::signal(SIGALRM, &on_signal);
  std::signal(SIGABRT, &on_signal);
  const auto is_folder = [](const std::string& path) {
    return std::filesystem::is_directory(path);
  };
  if (!options.corpus.empty() &&
      std::none_of(options.corpus.begin(), options.corpus.end(), is_folder)) {
    return run_files(options.corpus);
  }
  for (const std::string& path : options.corpus) read_inputs(path, options.max_len);
  if (corpus.empty()) corpus.emplace_back();
  std::printf("fuzz: %zu inputs reach %zu edges\n", corpus.size(), covered());

  const auto start = Clock::now();
  const auto seconds = [start] {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  uint64_t runs = 0;
  for (double reported = 0; runs < options.runs && seconds() < options.max_total_time; ++runs) {
    current = corpus[below(corpus.size())];
    mutate_current(options.max_len);
    if (run_current()) corpus.push_back(current);
    if (seconds() - reported > 30) {
      reported = seconds();
      std::printf("fuzz: %.0f s, %llu runs, %zu edges, %zu inputs\n", reported,
                  static_cast<unsigned long long>(runs), covered(), corpus.size());
      std::fflush(stdout);
    }
  }
  std::printf("fuzz: done %llu runs in %.0f s, %zu edges, %zu inputs, nothing found\n",
              static_cast<unsigned long long>(runs), seconds(), covered(), corpus.size());
  return 0;
}
