#include "config/value_text.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <span>

#include "json/utf8.h"

namespace posthaste::config {

namespace {

// Six decimals keep fraction times scale within 64 bits for every unit below.
constexpr size_t kDecimalsMax = 6;
// Bytes of a refused text that an error message repeats.
constexpr size_t kQuotedSizeMax = 64;

struct Unit {
  std::string_view name;
  uint64_t scale;
};

// Ascending, so that formatting looks from the end. Of two names for one unit the later one is
// written.
constexpr Unit kTimeUnits[] = {{"ms", 1},     {"s", 1000},      {"min", 60'000},
                               {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
constexpr Unit kSizeUnits[] = {{"B", 1},
                               {"KiB", uint64_t{1} << 10},
                               {"MiB", uint64_t{1} << 20},
                               {"GiB", uint64_t{1} << 30},
                               {"TiB", uint64_t{1} << 40}};

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

size_t digits_at(std::string_view text, size_t begin) {
  size_t end = begin;
  while (end < text.size() && is_digit(text[end])) ++end;
  return end - begin;
}

std::optional<uint64_t> parse_with_unit(std::string_view text, std::span<const Unit> units) {
  if (text == "0") return 0;
  const size_t whole_size = digits_at(text, 0);
  const std::optional<uint64_t> whole = parse_count(text.substr(0, whole_size));
  if (!whole) return std::nullopt;

  size_t position = whole_size;
  uint64_t fraction = 0;
  uint64_t fraction_base = 1;
  if (position < text.size() && text[position] == '.') {
    const size_t decimals = digits_at(text, ++position);
    if (decimals == 0 || decimals > kDecimalsMax) return std::nullopt;
    for (const size_t end = position + decimals; position < end; ++position) {
      fraction = fraction * 10 + static_cast<uint64_t>(text[position] - '0');
      fraction_base *= 10;
    }
  }

  const std::string_view name = text.substr(position);
  const auto unit = std::find_if(units.begin(), units.end(),
                                 [name](const Unit& known) { return known.name == name; });
  if (unit == units.end() || fraction * unit->scale % fraction_base != 0) return std::nullopt;
  const uint64_t part = fraction * unit->scale / fraction_base;
  if (*whole > (std::numeric_limits<uint64_t>::max() - part) / unit->scale) return std::nullopt;
  return *whole * unit->scale + part;
}

std::string format_with_unit(uint64_t value, std::span<const Unit> units) {
  auto unit = units.rbegin();
  while (value % unit->scale != 0) ++unit;
  return std::to_string(value / unit->scale).append(unit->name);
}

}  // namespace

std::optional<uint64_t> parse_ms(std::string_view text) {
  return parse_with_unit(text, kTimeUnits);
}

std::string format_ms(uint64_t length_ms) {
  return length_ms == 0 ? "0s" : format_with_unit(length_ms, kTimeUnits);
}

std::optional<uint64_t> parse_bytes(std::string_view text) {
  return parse_with_unit(text, kSizeUnits);
}

std::string format_bytes(uint64_t size_bytes) {
  return size_bytes == 0 ? "0B" : format_with_unit(size_bytes, kSizeUnits);
}

std::optional<uint64_t> parse_count(std::string_view text) {
  uint64_t count = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (fault != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return count;
}

std::optional<bool> parse_boolean(std::string_view text) {
  if (text == "on" || text == "true" || text == "yes" || text == "1") return true;
  if (text == "off" || text == "false" || text == "no" || text == "0") return false;
  return std::nullopt;
}

std::vector<std::string_view> split_list(std::string_view text) {
  std::vector<std::string_view> items;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    std::string_view item = text.substr(begin, end - begin);
    const size_t first = std::min(item.find_first_not_of(" \t"), item.size());
    item.remove_prefix(first);
    item.remove_suffix(item.size() - (item.find_last_not_of(" \t") + 1));
    items.push_back(item);
    begin = end + 1;
  }
  return items;
}

std::string quote(std::string_view text) {
  std::string quoted = "\"";
  size_t position = 0;
  while (position < text.size() && position < kQuotedSizeMax) {
    const size_t size = json::utf8_sequence_size(text.data() + position, text.size() - position);
    const auto lead = static_cast<unsigned char>(text[position]);
    if (size == 0 || lead < 0x20 || lead == 0x7f) {
      quoted += '?';
      ++position;
    } else {
      quoted.append(text, position, size);
      position += size;
    }
  }
  return quoted.append(position < text.size() ? "...\"" : "\"");
}

}  // namespace posthaste::config
