// What a receiver reads in a batch of simulated records.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace posthaste::simulation {

// The numbers of the records (append_sim_record) in a body or the beginning of one, in order.
inline std::vector<uint64_t> numbers_in(std::string_view body) {
  constexpr std::string_view kBefore = R"(","n":)";
  constexpr std::string_view kBehind = R"(,"pad":)";
  std::vector<uint64_t> numbers;
  for (size_t at = body.find(kBefore); at != body.npos; at = body.find(kBefore, at + 1)) {
    const size_t from = at + kBefore.size();
    const size_t end = body.find(kBehind, from);
    if (end == body.npos) break;
    numbers.push_back(
        std::strtoull(std::string(body.substr(from, end - from)).c_str(), nullptr, 10));
  }
  return numbers;
}

}  // namespace posthaste::simulation
