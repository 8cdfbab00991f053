#include "cli/key_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <sstream>

#include "cli/settings_list.h"
#include "config/value_text.h"
#include "posthaste/posthaste.h"

namespace posthaste::cli {
namespace {

using core::ErrorCode;

constexpr size_t kKeyFileMax = size_t{1} << 20;
constexpr size_t kKeyMin = 20;
constexpr size_t kKeyMax = 256;

// Nothing when the words are no key.
std::optional<KeyLine> read_words(std::istringstream& words) {
  KeyLine line;
  line.grant = POSTHASTE_GRANT_MODIFY;
  words >> line.key;
  const bool is_plain = std::all_of(line.key.begin(), line.key.end(), [](char character) {
    return character > ' ' && character < '\x7f';
  });
  if (!is_plain || line.key.size() < kKeyMin || line.key.size() > kKeyMax) return std::nullopt;
  for (std::string word; words >> word;) {
    const auto number = config::parse_count(word);
    if (word == "view") {
      line.grant = POSTHASTE_GRANT_VIEW;
    } else if (number && *number <= INT32_MAX) {
      line.subaccount = static_cast<int64_t>(*number);
    } else if (word != "modify") {
      return std::nullopt;
    }
  }
  return line;
}

}  // namespace

core::Result<std::vector<KeyLine>> read_key_file(const std::string& path) {
  const auto text = read_file(path, kKeyFileMax);
  if (!text) return text.error();
  std::vector<KeyLine> keys;
  std::istringstream lines(*text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    const size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string::npos || line[first] == '#') continue;
    std::istringstream words(line);
    auto key = read_words(words);
    if (!key) {
      return {ErrorCode::BadFile,
              fmt::format("{} line {}: not KEY [view|modify] [SUBACCOUNT], the key of 20 to 256 "
                          "visible ASCII characters",
                          path, number)};
    }
    keys.push_back(std::move(*key));
  }
  return keys;
}

core::Result<> write_private_file(const std::string& path, const std::string& line) {
  const auto problem = [&](const char* what) {
    return core::Error{
        ErrorCode::System, fmt::format("cannot {} {}: {}", what, path, std::strerror(errno)), {}};
  };
  const std::string fresh = path + ".new";
  ::unlink(fresh.c_str());
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return problem("make");
  const std::string text = line + "\n";
  const ssize_t written = ::write(fd, text.data(), text.size());
  const bool is_whole = written == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  const bool is_closed = ::close(fd) == 0;
  if (!is_whole || !is_closed || std::rename(fresh.c_str(), path.c_str()) != 0) {
    const core::Error error = problem("write");
    ::unlink(fresh.c_str());
    return error;
  }
  return {};
}

}  // namespace posthaste::cli
