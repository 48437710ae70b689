// SPDX-License-Identifier: Apache-2.0
// What the simulator reads from its environment: chips, faults, memory, report. It reads it once,
// so each test looks at child processes; the parent never calls the simulator.
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <thread>

#include "fixture.hpp"

namespace hbm::test {
namespace {

using Variables = std::map<std::string, std::string>;

struct Ended {
  bool well;            // the child's expectations held
  std::string written;  // to standard error
};

// Runs `body` in a child with these variables.
Ended in_child(const Variables& variables, const std::function<void()>& body) {
  std::array<int, 2> pipe{};
  EXPECT_EQ(::pipe(pipe.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(pipe[1], STDERR_FILENO);
    ::close(pipe[0]);
    ::close(pipe[1]);
    for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
    body();
    std::fflush(stdout);
    std::exit(::testing::Test::HasFailure() ? 1 : 0);  // runs what the simulator does at exit
  }
  ::close(pipe[1]);
  std::string written;
  std::array<char, 4096> part{};
  for (ssize_t size = 0; (size = ::read(pipe[0], part.data(), part.size())) > 0;) {
    written.append(part.data(), static_cast<std::size_t>(size));
  }
  ::close(pipe[0]);
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return {WIFEXITED(status) && WEXITSTATUS(status) == 0, written};
}

#define EXPECT_WELL(ended) EXPECT_TRUE((ended).well) << (ended).written
#define EXPECT_SAYS(ended, text) \
  EXPECT_NE((ended).written.find(text), std::string::npos) << (ended).written

class Environment : public WithEngine {};

int32_t load(const std::string& bytes, hbDNNPackedHandle_t* packed) {
  const void* data = bytes.data();
  auto length = static_cast<int32_t>(bytes.size());
  return hbDNNInitializeFromDDR(packed, &data, &length, 1);
}

int32_t status_of_march(const std::string& march) {
  hbDNNPackedHandle_t packed = nullptr;
  const int32_t status = load(file_of({doubling_model()}, "", march), &packed);
  if (status == 0) {
    EXPECT_EQ(hbDNNRelease(packed), 0);
  }
  return status;
}

// The smallest pitch that a plane of 10 columns may have.
int64_t smallest_pitch() {
  const Packed packed({plane_model(2, 10)});
  const hbDNNHandle_t model = packed.model("plane");
  for (const int64_t pitch : {16, 32, 64}) {
    auto properties = Call::properties(model, true);
    properties.stride[1] = pitch;
    properties.stride[0] = 2 * pitch;
    properties.alignedByteSize = 2 * pitch;
    Call call(model, properties);
    if (call.infer() == 0) return pitch;
  }
  return -1;
}

TEST_F(Environment, ChoosesTheChip) {
  struct Chip {
    const char* name;
    const char* soc_name;
    const char* march;
    int64_t pitch;
    int cores;
  };
  for (const Chip& chip : {Chip{"S100", "D-Robotics RDK S100 V0P5", "nash-e", 32, 1},
                           Chip{"S100P", "D-Robotics RDK S100P V1P0", "nash-m", 32, 1},
                           Chip{"S600", "D-Robotics RDK S600 MCB V0p2", "nash-p", 64, 4},
                           Chip{"", "D-Robotics RDK S600 MCB V0p2", "nash-p", 64, 4}}) {
    const Ended ended = in_child({{"HBM_SIM_SOC", chip.name}}, [&] {
      EXPECT_STREQ(hbUCPGetSocName(), chip.soc_name);
      EXPECT_EQ(smallest_pitch(), chip.pitch);
      for (const char* march : {"nash-e", "nash-m", "nash-p", "bernoulli"}) {
        EXPECT_EQ(status_of_march(march),
                  std::string(march) == chip.march ? 0 : HB_UCP_MODEL_INCOMPATIBLE);
      }
      EXPECT_EQ(status_of_march(""), 0);
      const Packed packed({doubling_model()});
      for (int core = 0; core < 4; ++core) {
        Call call(packed.model("doubling"));
        ASSERT_EQ(call.infer(), 0);
        EXPECT_EQ(call.submit(0, 0, 1ULL << static_cast<unsigned>(core)),
                  core < chip.cores ? 0 : HB_UCP_INVALID_ARGUMENT);
      }
    });
    EXPECT_WELL(ended);
    EXPECT_SAYS(ended, "the file is for the march 'bernoulli' (no chip of the family)");
  }
}

TEST_F(Environment, WithAnUnknownChipLoadsNothing) {
  const Ended ended = in_child({{"HBM_SIM_SOC", "S200"}},
                               [] { EXPECT_EQ(status_of_march(""), HB_UCP_INIT_FAILED); });
  EXPECT_WELL(ended);
  EXPECT_SAYS(ended,
              "HBM_SIM_SOC: 'S200' is no chip that can be simulated; use S100, S100P or S600");
}

TEST_F(Environment, LimitsTheMemoryOfBuffersAndWeightsTogether) {
  const Ended ended = in_child({{"HBM_SIM_MEMORY_MB", "1"}}, [] {
    const std::string bytes = file_of({doubling_model()});
    hbDNNPackedHandle_t packed = nullptr;
    {
      const Memory most((1U << 20U) - 1);
      EXPECT_EQ(load(bytes, &packed), HB_UCP_MEM_ALLOC_FAIL);
    }
    ASSERT_EQ(load(bytes, &packed), 0);
    hbUCPSysMem memory{};
    EXPECT_EQ(hbUCPMalloc(&memory, 1U << 20U, 0), HB_UCP_MEM_ALLOC_FAIL);
    EXPECT_EQ(hbDNNRelease(packed), 0);
    const Memory all(1U << 20U);
  });
  EXPECT_WELL(ended);
  EXPECT_SAYS(ended, "device memory exhausted");
}

TEST_F(Environment, CanStallACore) {
  const Ended ended =
      in_child({{"HBM_SIM_FAULTS", "core:1@2=stall:200; core:2=TASK_RUN_FAILED"}}, [] {
        const Packed packed({doubling_model()});
        const auto run = [&](uint64_t core) {
          Call call(packed.model("doubling"));
          EXPECT_EQ(call.infer(), 0);
          EXPECT_EQ(call.submit(0, 0, core), 0);
          const int32_t status = call.wait(50);
          if (status == HB_UCP_TASK_TIMEOUT) {
            EXPECT_EQ(call.wait(), 0) << "it goes on later";
          }
          return status;
        };
        EXPECT_EQ(run(HB_UCP_BPU_CORE_1), 0);
        EXPECT_EQ(run(HB_UCP_BPU_CORE_1), HB_UCP_TASK_TIMEOUT);
        EXPECT_EQ(run(HB_UCP_BPU_CORE_1), 0);
        EXPECT_EQ(run(HB_UCP_BPU_CORE_2), HB_UCP_TASK_RUN_FAILED);
        EXPECT_EQ(run(HB_UCP_BPU_CORE_2), 0);
      });
  EXPECT_WELL(ended);
}

TEST_F(Environment, WithABadFaultLoadsNothing) {
  for (const char* rule : {"core:4=stall:1", "core:=stall:1", "hbUCPFree=stall:1", "core:1=stall:",
                           "core:1@0=stall:1", "hbUCPGetVersion=-1", "core:1=stall:600001"}) {
    const Ended ended = in_child({{"HBM_SIM_FAULTS", rule}},
                                 [] { EXPECT_EQ(status_of_march(""), HB_UCP_INIT_FAILED); });
    EXPECT_WELL(ended);
    EXPECT_SAYS(ended, "HBM_SIM_FAULTS: the rule '" + std::string(rule) + "'");
  }
}

TEST_F(Environment, DoesNotPreemptWhereL2MemoryIsUsed) {
  for (const bool l2m : {false, true}) {
    const Variables variables = {{"HBM_SIM_SOC", "S100"},
                                 {"HB_DNN_USER_DEFINED_L2M_SIZES", l2m ? "6" : ""}};
    const Ended ended = in_child(variables, [&] {
      TinyModel model = doubling_model({1, 4}, 0, "long");
      model.max_time_per_fc_us = 2000;
      model.calls.assign(100, TinyCall{"", 2000});
      model.calls[0].graph = onnx_of(model);
      const Packed packed({model, doubling_model()});
      Call long_call(packed.model("long"));
      Call urgent(packed.model("doubling"));
      ASSERT_EQ(long_call.infer(), 0);
      ASSERT_EQ(urgent.infer(), 0);
      ASSERT_EQ(long_call.submit(10), 0);
      ASSERT_EQ(urgent.submit(255), 0);
      ASSERT_EQ(urgent.wait(), 0);
      EXPECT_EQ(long_call.wait(1), l2m ? 0 : HB_UCP_TASK_TIMEOUT)
          << "it ended first, or it did not";
    });
    EXPECT_WELL(ended);
  }
}

TEST_F(Environment, TracesWhatWasPreempted) {
  const std::string path = ::testing::TempDir() + "preemption_trace_%p.json";
  const Ended ended = in_child({{"HBM_SIM_TRACE", path}, {"HBM_SIM_CORES", "1"}}, [] {
    TinyModel model = doubling_model({1, 4}, 0, "long");
    model.max_time_per_fc_us = 2000;
    model.calls.assign(50, TinyCall{"", 2000});
    model.calls[0].graph = onnx_of(model);
    const Packed packed({model, doubling_model()});
    Call long_call(packed.model("long"));
    Call urgent(packed.model("doubling"));
    ASSERT_EQ(long_call.infer(), 0);
    ASSERT_EQ(urgent.infer(), 0);
    ASSERT_EQ(long_call.submit(10), 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    ASSERT_EQ(urgent.submit(255), 0);
    ASSERT_EQ(urgent.wait(), 0);
    ASSERT_EQ(long_call.wait(), 0);
    std::fprintf(stderr, "pid=%d\n", static_cast<int>(::getpid()));
  });
  EXPECT_WELL(ended);
  const std::string pid = ended.written.substr(ended.written.find("pid=") + 4);
  const std::string file =
      ::testing::TempDir() + "preemption_trace_" + pid.substr(0, pid.find('\n')) + ".json";
  std::ifstream stream(file);
  const std::string trace{std::istreambuf_iterator<char>(stream), {}};
  EXPECT_NE(trace.find("\"name\":\"preempted\""), std::string::npos) << trace.substr(0, 1000);
  EXPECT_NE(trace.find("\"call\":50,\"calls\":50"), std::string::npos);
  EXPECT_EQ(std::remove(file.c_str()), 0);
}

TEST_F(Environment, CanAskWhatIsHeldAtExit) {
  const Ended nothing = in_child({{"HBM_SIM_REPORT", "1"}}, [] {
    const Packed packed({doubling_model()});
    Call call(packed.model("doubling"));
    ASSERT_EQ(call.infer(), 0);
  });
  EXPECT_SAYS(
      nothing,
      "held at exit: memory 0 blocks 0 bytes; tasks 0 (created 0, queued 0, running 0, done "
      "0); packed handles 0\n");

  const Ended much = in_child({{"HBM_SIM_REPORT", "1"}, {"HBM_SIM_CORES", "1"}}, [] {
    const auto* packed =
        std::make_unique<Packed>(
            std::vector<TinyModel>{doubling_model(), doubling_model({1, 4}, 10'000'000, "long")})
            .release();
    int index = 0;
    for (const char* name : {"doubling", "doubling", "long", "doubling"}) {
      auto* call = std::make_unique<Call>(packed->model(name)).release();
      ASSERT_EQ(call->infer(), 0);
      ++index;
      const bool submits = index > 1;
      const bool waits = index == 2;
      EXPECT_EQ(submits ? call->submit() : 0, 0);
      EXPECT_EQ(waits ? call->wait() : 0, 0);
    }
  });
  EXPECT_SAYS(
      much,
      "held at exit: memory 8 blocks 128 bytes; tasks 4 (created 1, queued 1, running 1, done "
      "1); packed handles 1\n");
}

}  // namespace
}  // namespace hbm::test
