#include "transport/retry_after.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <string>

namespace posthaste::transport {
namespace {

// Beyond anything that is waited for; keeps sums of times far from their limits.
constexpr int64_t kSecondsMax = int64_t{10} * 365 * 24 * 3600;
constexpr size_t kDateBytesMax = 64;

}  // namespace

std::optional<core::Duration> parse_retry_after(std::string_view text, core::WallTime now) {
  if (text.empty() || text.size() > kDateBytesMax) return std::nullopt;
  const bool is_number =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (is_number) {
    int64_t seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (error != std::errc()) seconds = kSecondsMax;
    return std::chrono::seconds(std::min(seconds, kSecondsMax));
  }
  // libcurl reads far more than HTTP's three forms of a date; all of those have a time of day and
  // begin with the name of a day.
  const bool is_date = text.find(':') != std::string_view::npos &&
                       ((text[0] >= 'A' && text[0] <= 'Z') || (text[0] >= 'a' && text[0] <= 'z'));
  const time_t date = is_date ? curl_getdate(std::string(text).c_str(), nullptr) : -1;
  if (date < 0) return std::nullopt;
  const int64_t left = std::min(int64_t{date} - core::unix_seconds(now), kSecondsMax);
  return std::chrono::seconds(std::max<int64_t>(left, 0));
}

}  // namespace posthaste::transport
