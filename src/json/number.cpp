#include "json/number.h"

#include <charconv>
#include <cstddef>
#include <limits>

namespace posthaste::json {

namespace {

bool is_digit(char character) {
  return character >= '0' && character <= '9';
}

size_t skip_digits(std::string_view text, size_t position) {
  while (position < text.size() && is_digit(text[position])) ++position;
  return position;
}

// Where the digits of a number stand.
struct Decimal {
  std::string_view digits;  // with the point inside, from the first digit that is not 0
  int64_t magnitude = 0;    // power of ten of that digit
  bool is_zero = true;
};

// Far beyond any double, far below an overflow when a text of 16 MiB is added to it.
constexpr int64_t kExponentBound = int64_t{1} << 40;

int64_t read_exponent(std::string_view text) {
  const bool is_negative = text.front() == '-';
  if (is_negative || text.front() == '+') text.remove_prefix(1);
  int64_t value = 0;
  for (const char digit : text) {
    if (value < kExponentBound) value = value * 10 + (digit - '0');
  }
  return is_negative ? -value : value;
}

Decimal read_decimal(std::string_view number) {
  if (number.front() == '-') number.remove_prefix(1);
  const size_t exponent_at = number.find_first_of("eE");
  const std::string_view digits = number.substr(0, exponent_at);
  Decimal decimal;
  const size_t first = digits.find_first_of("123456789");
  if (first == std::string_view::npos) return decimal;
  const size_t whole =
      digits.find('.') == std::string_view::npos ? digits.size() : digits.find('.');
  decimal.is_zero = false;
  decimal.digits = digits.substr(first);
  decimal.magnitude = static_cast<int64_t>(whole) - static_cast<int64_t>(first);
  if (first < whole) --decimal.magnitude;
  if (exponent_at != std::string_view::npos) {
    decimal.magnitude += read_exponent(number.substr(exponent_at + 1));
  }
  return decimal;
}

}  // namespace

bool is_number(std::string_view text) {
  size_t at = !text.empty() && text.front() == '-' ? 1 : 0;
  const size_t whole_end = skip_digits(text, at);
  if (whole_end == at || (text[at] == '0' && whole_end > at + 1)) return false;
  at = whole_end;
  if (at < text.size() && text[at] == '.') {
    const size_t end = skip_digits(text, at + 1);
    if (end == at + 1) return false;
    at = end;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    const size_t end = skip_digits(text, at);
    if (end == at) return false;
    at = end;
  }
  return at == text.size();
}

bool is_in_double_range(std::string_view number) {
  const Decimal decimal = read_decimal(number);
  constexpr int kMagnitudeMax = std::numeric_limits<double>::max_exponent10;
  if (decimal.is_zero || decimal.magnitude < kMagnitudeMax) return true;
  if (decimal.magnitude > kMagnitudeMax) return false;
  double value = 0;
  return std::from_chars(number.data(), number.data() + number.size(), value).ec == std::errc();
}

std::optional<int64_t> whole_part(std::string_view number) {
  const Decimal decimal = read_decimal(number);
  if (decimal.is_zero) return 0;
  if (number.front() == '-') return std::nullopt;
  if (decimal.magnitude < 0) return 0;
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  if (decimal.magnitude > std::numeric_limits<int64_t>::digits10) return std::nullopt;
  int64_t value = 0;
  size_t at = 0;
  for (int64_t left = decimal.magnitude; left >= 0; --left) {
    if (at < decimal.digits.size() && decimal.digits[at] == '.') ++at;
    const int digit = at < decimal.digits.size() ? decimal.digits[at++] - '0' : 0;
    if (value > (kMax - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  return value;
}

}  // namespace posthaste::json
