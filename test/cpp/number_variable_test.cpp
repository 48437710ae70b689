// SPDX-License-Identifier: Apache-2.0
// Numbers in the environment: whole, in range, and otherwise the fallback.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>

#include "abi/environment.hpp"

namespace hbm {
namespace {

class TaskLimit : public ::testing::Test {
 protected:
  void TearDown() override { ::unsetenv(kTaskLimit.name); }

  static int of(const char* text) {
    ::setenv(kTaskLimit.name, text, 1);
    return kTaskLimit.value();
  }
};

TEST_F(TaskLimit, IsTheNumberInTheVariable) {
  EXPECT_EQ(of("1"), 1);
  EXPECT_EQ(of("64"), 64);
  EXPECT_EQ(of("65536"), 65536);
}

TEST_F(TaskLimit, IsTheDefaultWithoutTheVariable) {
  ::unsetenv(kTaskLimit.name);
  EXPECT_EQ(kTaskLimit.value(), 32);
  EXPECT_EQ(of(""), 32);
}

TEST_F(TaskLimit, IsTheDefaultWithAnythingElse) {
  for (const char* bad : {"0", "-1", "65537", "64x", "x64", "64 ", " 64", "+64", "0x40", "6.4",
                          "many", "99999999999999999999", "4294967360"}) {
    EXPECT_EQ(of(bad), 32) << '"' << bad << '"';
  }
}

TEST(ToNumber, TakesTheRangeOfItsType) {
  EXPECT_EQ(to_number<int32_t>("-2147483648"), INT32_MIN);
  EXPECT_EQ(to_number<int32_t>("2147483648"), std::nullopt);
  EXPECT_EQ(to_number<uint64_t>("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(to_number<uint64_t>("-1"), std::nullopt);
  EXPECT_EQ(to_number<int>(""), std::nullopt);
}

}  // namespace
}  // namespace hbm
