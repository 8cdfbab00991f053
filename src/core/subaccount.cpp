#include "core/subaccount.h"

#include <algorithm>
#include <charconv>

namespace posthaste::core {
namespace {

constexpr std::string_view kAll = "all";
constexpr std::string_view kMember = "\"subaccount_id\"";
// The payload's members stand inside the record, msys and the class.
constexpr int kPayloadDepth = 3;

std::optional<uint32_t> parse_number(std::string_view text) {
  uint32_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stop != end || number > kSubaccountMax) return std::nullopt;
  return number;
}

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::optional<std::vector<uint32_t>> parse_list(std::string_view text) {
  std::vector<uint32_t> numbers;
  if (trim(text).empty()) return numbers;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const auto number = parse_number(trim(text.substr(begin, end - begin)));
    if (!number || numbers.size() == kExceptionSubaccountsMax) return std::nullopt;
    if (std::find(numbers.begin(), numbers.end(), *number) != numbers.end()) return std::nullopt;
    numbers.push_back(*number);
    begin = end + 1;
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

// Behind the closing quote of the string that begins at `at`.
size_t skip_string(std::string_view text, size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\') ++at;
  }
  return at + 1;
}

size_t skip_blanks(std::string_view text, size_t at) {
  return std::min(text.find_first_not_of(" \t\r\n", at), text.size());
}

// The value of the payload's own member, whose name was seen somewhere in the record.
std::optional<std::string_view> member_value(std::string_view record) {
  int depth = 0;
  for (size_t at = 0; at < record.size();) {
    const char c = record[at];
    if (c != '"') {
      depth += (c == '{' || c == '[') ? 1 : (c == '}' || c == ']') ? -1 : 0;
      ++at;
      continue;
    }
    const size_t end = skip_string(record, at);
    const size_t colon = skip_blanks(record, end);
    const bool is_key = colon < record.size() && record[colon] == ':';
    if (is_key && depth == kPayloadDepth && record.substr(at, end - at) == kMember) {
      return record.substr(skip_blanks(record, colon + 1));
    }
    at = end;
  }
  return std::nullopt;
}

}  // namespace

bool SubaccountFilter::takes(uint32_t subaccount) const {
  if (only) return *only == subaccount;
  return !std::binary_search(except.begin(), except.end(), subaccount);
}

bool is_subaccount_choice(std::string_view text) {
  return text == kAll || parse_number(text);
}

bool is_subaccount_list(std::string_view text) {
  return parse_list(text).has_value();
}

SubaccountFilter parse_subaccounts(std::string_view choice, std::string_view exceptions) {
  SubaccountFilter filter;
  if (choice == kAll) {
    filter.except = parse_list(exceptions).value_or(std::vector<uint32_t>());
  } else {
    filter.only = parse_number(choice);
  }
  return filter;
}

uint32_t subaccount_of(std::string_view record) {
  // Most events of most senders have none, which one search tells.
  if (record.find(kMember) == std::string_view::npos) return kPrimaryAccount;
  const auto value = member_value(record);
  if (!value) return kPrimaryAccount;
  const bool is_text = value->starts_with('"');
  const std::string_view rest = value->substr(is_text ? 1 : 0);
  if (rest.starts_with("null")) return kPrimaryAccount;
  const size_t size = rest.find_first_not_of("0123456789");
  const bool is_ended =
      size != std::string_view::npos &&
      (is_text ? rest[size] == '"'
               : std::string_view(",} \t\r\n").find(rest[size]) != std::string_view::npos);
  if (is_text && size == 0 && is_ended) return kPrimaryAccount;
  if (!is_ended) return kUnknownSubaccount;
  return parse_number(rest.substr(0, size)).value_or(kUnknownSubaccount);
}

}  // namespace posthaste::core
