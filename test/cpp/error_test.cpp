// SPDX-License-Identifier: Apache-2.0
// A status becomes an exception that carries the number, the call, the place and the log.
#include "core/board/error.hpp"

#include <gtest/gtest.h>

#include "abi/hb_ucp_status.h"
#include "core/board/log.hpp"

namespace hbm {
namespace {

Error thrown_by(int32_t status) {
  try {
    check(status, "hbUCPSubmitTask", "submit the task", {"detector", "data_y"});
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "status " << status << " threw nothing";
  return {ErrorKind::kTask, ""};
}

TEST(Check, LetsSuccessPass) { EXPECT_NO_THROW(check(0, "any", "do anything")); }

TEST(Check, KeepsNumberCallAndPlace) {
  const Error error = thrown_by(HB_UCP_INVALID_ARGUMENT);
  EXPECT_EQ(error.status(), -100001);
  EXPECT_EQ(error.call(), "hbUCPSubmitTask");
  EXPECT_EQ(error.model(), "detector");
  EXPECT_EQ(error.tensor(), "data_y");
  EXPECT_NE(std::string(error.what()).find("HB_UCP_INVALID_ARGUMENT"), std::string::npos);
}

TEST(Check, SortsStatusesByWhatACallerCanDo) {
  EXPECT_EQ(thrown_by(HB_UCP_INVALID_ARGUMENT).kind(), ErrorKind::kInput);
  EXPECT_EQ(thrown_by(HB_UCP_MEM_ALLOC_FAIL).kind(), ErrorKind::kMemory);
  EXPECT_EQ(thrown_by(HB_UCP_TASK_TIMEOUT).kind(), ErrorKind::kTimeout);
  EXPECT_EQ(thrown_by(HB_UCP_MODEL_INCOMPATIBLE).kind(), ErrorKind::kModel);
  EXPECT_EQ(thrown_by(HB_UCP_TASK_RUN_FAILED).kind(), ErrorKind::kTask);
  EXPECT_EQ(thrown_by(-123).kind(), ErrorKind::kTask);
}

TEST(Check, AppendsWhatTheAcceleratorSaidLast) {
  record_log_line(4, "the graph is damaged");
  EXPECT_NE(std::string(thrown_by(HB_UCP_MODEL_INVALID).what()).find("the graph is damaged"),
            std::string::npos);
  EXPECT_EQ(std::string(thrown_by(HB_UCP_MODEL_INVALID).what()).find("the graph is damaged"),
            std::string::npos)
      << "a line is used once";
}

TEST(Log, IsBounded) {
  static_cast<void>(take_log_lines());
  for (int line = 0; line < 1500; ++line) record_log_line(2, std::to_string(line).c_str());
  const auto lines = take_log_lines();
  ASSERT_EQ(lines.size(), 1000U);
  EXPECT_EQ(lines.back().text, "1499");
  EXPECT_FALSE(has_log_lines());
}

}  // namespace
}  // namespace hbm
