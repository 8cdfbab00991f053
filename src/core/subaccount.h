// Subaccounts: which of a sender's tenants an event belongs to, and which of them a webhook hears
// of (spec/momentum.md, section 6). The batcher compares route classes by the filter, and asks for
// an event's subaccount only where a filter looks at it.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace posthaste::core {

// 0 is the primary account: events without a subaccount_id.
inline constexpr uint32_t kPrimaryAccount = 0;
// JSON numbers of the API are signed 32-bit.
inline constexpr uint32_t kSubaccountMax = 0x7fffffff;
// Of an event whose subaccount_id is no number: nobody's but theirs who take all.
inline constexpr uint32_t kUnknownSubaccount = 0xffffffff;
// The original's bound.
inline constexpr size_t kExceptionSubaccountsMax = 10;

struct SubaccountFilter {
  std::optional<uint32_t> only;  // none: all of them, the primary account included
  std::vector<uint32_t> except;  // in ascending order; with `only` it is empty

  bool takes_all() const { return !only && except.empty(); }
  bool takes(uint32_t subaccount) const;
  auto operator<=>(const SubaccountFilter&) const = default;
  bool operator==(const SubaccountFilter&) const = default;
};

// "all" or a number.
bool is_subaccount_choice(std::string_view text);
// Numbers between commas, at most kExceptionSubaccountsMax, none twice; may be empty.
bool is_subaccount_list(std::string_view text);
// Of two texts that passed those checks. A filter of one subaccount has no exceptions.
SubaccountFilter parse_subaccounts(std::string_view choice, std::string_view exceptions);

// The subaccount of a wire record `{"msys":{"<class>":{...}}},`: the number in its payload's own
// member `subaccount_id`, a string or not.
uint32_t subaccount_of(std::string_view record);

}  // namespace posthaste::core
