// SPDX-License-Identifier: Apache-2.0
// Reads fault rules and applies them to calls.
#include "simulator/watching/faults.hpp"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include "abi/chips.hpp"
#include "abi/environment.hpp"
#include "abi/functions.hpp"
#include "abi/status_table.hpp"
#include "simulator/watching/log.hpp"

namespace hbm::simulator {
namespace {

constexpr std::string_view kStatusPrefix = "HB_UCP_";
constexpr int64_t kLongestDelayMs = 600'000;

constexpr std::string_view kCorePrefix = "core:";

bool is_core(std::string_view what) {
  return what.size() == kCorePrefix.size() + 1 &&
         what.substr(0, kCorePrefix.size()) == kCorePrefix && what.back() >= '0' &&
         what.back() < '0' + kMostBpuCores;
}

// Functions that return a text cannot fail.
bool returns_status(std::string_view function) {
  constexpr std::string_view texts[] = {"hbUCPGetVersion", "hbUCPGetSocName", "hbUCPGetErrorDesc",
                                        "hbDNNGetVersion", "hbDNNGetErrorDesc"};
  return std::find(std::begin(texts), std::end(texts), function) == std::end(texts);
}

bool is_known(std::string_view what) {
#define HBM_FAULT_NAME(name) #name,
  constexpr std::string_view names[] = {
      kRunFault, HBM_UCP_FUNCTIONS(HBM_FAULT_NAME) HBM_DNN_FUNCTIONS(HBM_FAULT_NAME)};
#undef HBM_FAULT_NAME
  return is_core(what) || std::find(std::begin(names), std::end(names), what) != std::end(names);
}

[[noreturn]] void refuse(std::string_view rule, const char* why) {
  throw std::invalid_argument(
      "the rule '" + std::string(rule.substr(0, 80)) + "' " + why +
      "; a rule is FUNCTION[@N[+]]=STATUS or FUNCTION[@N[+]]=delay:MS, where "
      "FUNCTION may also be 'run' or 'core:0' to 'core:3', which know "
      "stall:MS as well");
}

int32_t to_status(std::string_view text, std::string_view rule) {
  if (const auto number = to_number<int32_t>(text)) {
    if (*number >= 0) refuse(rule, "has a status that is not negative");
    return *number;
  }
  for (const abi::StatusRow& row : abi::kStatusTable) {
    const bool same = text == row.name || text == row.name.substr(kStatusPrefix.size());
    if (same && row.code != 0) return row.code;
  }
  refuse(rule, "names no status");
}

FaultRule parse_rule(std::string_view text) {
  FaultRule rule;
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) refuse(text, "has no '='");
  std::string_view call = text.substr(0, equals);
  const std::string_view action = text.substr(equals + 1);
  if (const std::size_t at = call.find('@'); at != std::string_view::npos) {
    std::string_view position = call.substr(at + 1);
    call = call.substr(0, at);
    rule.onwards = !position.empty() && position.back() == '+';
    if (rule.onwards) position.remove_suffix(1);
    const auto first = to_number<uint64_t>(position);
    if (!first || *first == 0) refuse(text, "has a call number that is not 1, 2, 3 …");
    rule.first = *first;
  }
  if (!is_known(call)) refuse(text, "names no function of the ABI, nor 'run', nor a core");
  if (!returns_status(call)) refuse(text, "names a function that returns no status");
  rule.function = std::string(call);
  constexpr std::string_view kDelay = "delay:";
  constexpr std::string_view kStall = "stall:";
  static_assert(kDelay.size() == kStall.size());
  const std::string_view kind = action.substr(0, kDelay.size());
  if (kind == kDelay || kind == kStall) {
    if (kind == kStall && call != kRunFault && !is_core(call)) {
      refuse(text, "stalls what is not a core");
    }
    const auto delay = to_number<int64_t>(action.substr(kDelay.size()));
    if (!delay || *delay < 0 || *delay > kLongestDelayMs) {
      refuse(text, "has a time that is not 0 to 600000 ms");
    }
    rule.delay = std::chrono::milliseconds(*delay);
  } else {
    rule.status = to_status(action, text);
  }
  return rule;
}

std::vector<FaultRule> parse_rules(std::string_view text) {
  std::vector<FaultRule> rules;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(';'), text.size());
    std::string_view rule = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    while (!rule.empty() && rule.front() == ' ') rule.remove_prefix(1);
    while (!rule.empty() && rule.back() == ' ') rule.remove_suffix(1);
    if (!rule.empty()) rules.push_back(parse_rule(rule));
  }
  return rules;
}

}  // namespace

Faults& Faults::instance() {
  static Faults faults;
  return faults;
}

Faults::Faults() {
  const char* rules = std::getenv("HBM_SIM_FAULTS");
  if (rules == nullptr) return;
  if (const auto error = set(rules)) error_ = "HBM_SIM_FAULTS: " + *error;
}

std::optional<std::string> Faults::set(std::string_view rules) {
  std::vector<FaultRule> parsed;
  try {
    parsed = parse_rules(rules);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  const std::lock_guard lock(mutex_);
  rules_ = std::move(parsed);
  counters_.clear();
  any_ = !rules_.empty();
  return std::nullopt;
}

int32_t Faults::on_call(std::string_view function) {
  if (!any_.load(std::memory_order_relaxed)) return 0;
  std::chrono::milliseconds delay{0};
  int32_t status = 0;
  std::unique_lock lock(mutex_);
  auto counter = std::find_if(counters_.begin(), counters_.end(),
                              [&](const Counter& known) { return known.function == function; });
  if (counter == counters_.end()) {
    counter = counters_.insert(counters_.end(), Counter{std::string(function), 0});
  }
  const uint64_t call = ++counter->calls;
  for (const FaultRule& rule : rules_) {
    const bool now = call == rule.first || (rule.onwards && call > rule.first);
    if (rule.function != function || !now) continue;
    delay += rule.delay;
    if (status == 0) status = rule.status;
  }
  // Nothing but the end of the process cuts it short: a core that hangs does not listen.
  if (delay.count() > 0) ending_changed_.wait_for(lock, delay, [this] { return ending_; });
  return status;
}

int32_t Faults::on_core(int core) {
  if (!any_.load(std::memory_order_relaxed)) return 0;
  return on_call(std::string(kCorePrefix) + std::to_string(core));
}

void Faults::end_delays() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  ending_changed_.notify_all();
}

}  // namespace hbm::simulator
