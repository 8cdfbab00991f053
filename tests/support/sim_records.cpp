#include "support/sim_records.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "core/random.h"

namespace posthaste::test {
namespace {

constexpr size_t kPaddingSize = size_t{1} << 20;

const std::string& padding() {
  static const std::string text = [] {
    core::Random random(0x706164);
    std::string made(kPaddingSize, ' ');
    for (char& letter : made) letter = static_cast<char>('a' + random.below(26));
    return made;
  }();
  return text;
}

}  // namespace

void append_sim_record(const core::EventCatalogue& catalogue, core::EventTypeId type,
                       uint64_t number, uint32_t size_bytes, std::string& out) {
  constexpr std::string_view kTail = "\"}}},";
  const size_t end = out.size() + std::max(size_bytes, kSimRecordSizeMin);
  out += catalogue.envelope_prefix(type);
  fmt::format_to(std::back_inserter(out), R"({{"type":"{}","n":{},"pad":")", catalogue.name(type),
                 number);
  // Neighbours get different padding.
  size_t from = number * 7919 % kPaddingSize;
  while (out.size() < end - kTail.size()) {
    const size_t part = std::min(end - kTail.size() - out.size(), kPaddingSize - from);
    out.append(padding(), from, part);
    from = 0;
  }
  out += kTail;
}

}  // namespace posthaste::test
