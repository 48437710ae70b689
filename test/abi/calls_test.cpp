// SPDX-License-Identifier: Apache-2.0
// Models of several function calls: values pass from call to call, time adds up, any can be ended.
#include <chrono>
#include <thread>

#include "fixture.hpp"

namespace hbm::test {
namespace {

class FunctionCalls : public WithEngine {};

// The graph of one call: `output` = `input` + `input`.
std::string graph_of(const std::string& input, const std::string& output) {
  TinyModel node;
  node.node_inputs = {input, input};
  node.inputs = {{input, {1, 4}, {}}};
  node.outputs = {{output, {1, 4}, {}}};
  return onnx_of(node);
}

TinyModel chain(const std::vector<TinyCall>& calls) {
  TinyModel model = doubling_model({1, 4}, 0, "chain");
  model.max_time_per_fc_us = 1000;
  model.calls = calls;
  return model;
}

int32_t status_of(const TinyModel& model) {
  const std::string bytes = file_of({model});
  hbDNNPackedHandle_t packed = nullptr;
  const void* data = bytes.data();
  auto length = static_cast<int32_t>(bytes.size());
  const int32_t status = hbDNNInitializeFromDDR(&packed, &data, &length, 1);
  if (status == 0) {
    EXPECT_EQ(hbDNNRelease(packed), 0);
  }
  return status;
}

TEST_F(FunctionCalls, PassTheirValuesOnByName) {
  const Packed packed({chain({{graph_of("x", "two_x")}, {"", 1000}, {graph_of("two_x", "y")}})});
  Call call(packed.model("chain"));
  for (int index = 0; index < 4; ++index) call.in<float>()[index] = static_cast<float>(index + 1);
  ASSERT_EQ(call.infer(), 0);
  ASSERT_EQ(call.submit(), 0);
  ASSERT_EQ(call.wait(), 0);
  for (int index = 0; index < 4; ++index) {
    EXPECT_EQ(call.out<float>()[index], 4 * call.in<float>()[index]);
  }
}

TEST_F(FunctionCalls, KeepTheCoreBusyForTheSumOfTheirTimes) {
  const Packed packed({chain({{graph_of("x", "y"), 20'000}, {"", 20'000}, {"", 20'000}})});
  Call call(packed.model("chain"));
  ASSERT_EQ(call.infer(), 0);
  const auto start = std::chrono::steady_clock::now();
  ASSERT_EQ(call.submit(), 0);
  ASSERT_EQ(call.wait(), 0);
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(60));
}

TEST_F(FunctionCalls, AreRefusedWhenTheirValuesDoNotMeet) {
  EXPECT_EQ(status_of(chain({{graph_of("x", "h")}, {graph_of("h", "y")}})), 0);
  EXPECT_EQ(status_of(chain({{graph_of("h", "y")}, {graph_of("x", "h")}})), HB_UCP_MODEL_INVALID)
      << "h is taken before it is made";
  EXPECT_EQ(status_of(chain({{graph_of("x", "h")}})), HB_UCP_MODEL_INVALID) << "nothing makes y";
  EXPECT_EQ(status_of(chain({{graph_of("x", "y")}, {graph_of("x", "y")}})), HB_UCP_MODEL_INVALID)
      << "y is made twice";
  EXPECT_EQ(status_of(chain({{graph_of("x", "h")}, {graph_of("x", "h")}, {graph_of("h", "y")}})),
            HB_UCP_MODEL_INVALID)
      << "h is made twice";
}

TEST_F(FunctionCalls, StopInTheMiddleOrBetweenWhenTheTaskIsReleased) {
  // One long call, and many short ones: a minute each, if they were not cancelled.
  std::vector<TinyCall> many(3000, TinyCall{"", 20'000});
  many[0].graph = graph_of("x", "y");
  for (const auto& calls : {std::vector<TinyCall>{{graph_of("x", "y"), 60'000'000}}, many}) {
    const Packed packed({chain(calls)});
    Call call(packed.model("chain"));
    ASSERT_EQ(call.infer(), 0);
    ASSERT_EQ(call.submit(), 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    call.release();  // or this test times out
  }
}

// Every graph that is loaded takes its bytes of device memory once, however often it is loaded.
TEST_F(FunctionCalls, OfTheSameContentShareTheirWeights) {
  const std::string bytes = file_of({doubling_model()});
  std::vector<std::unique_ptr<Packed>> loaded;
  for (int index = 0; index < 50; ++index) loaded.push_back(std::make_unique<Packed>(bytes));
  Call first(loaded.front()->model("doubling"));
  Call last(loaded.back()->model("doubling"));
  loaded.erase(loaded.begin() + 1, loaded.end() - 1);
  for (Call* call : {&first, &last}) {
    call->in<float>()[1] = 3;
    ASSERT_EQ(call->infer(), 0);
    ASSERT_EQ(call->submit(), 0);
    ASSERT_EQ(call->wait(), 0);
    EXPECT_EQ(call->out<float>()[1], 6);
  }
}

}  // namespace
}  // namespace hbm::test
