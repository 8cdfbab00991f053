// See receiver_body.h.
#include "receiver_body.h"

#include <bit>
#include <cstring>

namespace posthaste::testing {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

uint64_t occurrences(std::string_view text, std::string_view sought) {
  uint64_t count = 0;
  for (size_t at = text.find(sought); at != std::string_view::npos;
       at = text.find(sought, at + sought.size())) {
    ++count;
  }
  return count;
}

// The odd constant is 2^64 divided by the golden ratio; multiply and rotate spread each word over
// all bits.
uint64_t mixed(uint64_t state, uint64_t word) {
  return std::rotl((state ^ word) * 0x9E3779B97F4A7C15, 29);
}

}  // namespace

void OccurrenceCounter::add(std::string_view piece) {
  if (text_.empty()) return;
  const size_t tail_bytes_max = text_.size() - 1;
  // Only an occurrence across the border fits here: each side alone is too short for one.
  tail_ += piece.substr(0, tail_bytes_max);
  count_ += occurrences(tail_, text_) + occurrences(piece, text_);
  if (piece.size() >= tail_bytes_max) {
    tail_ = piece.substr(piece.size() - tail_bytes_max);
  } else if (tail_.size() > tail_bytes_max) {
    tail_.erase(0, tail_.size() - tail_bytes_max);
  }
}

void BodyHash::add(std::string_view piece) {
  while (!piece.empty() && (size_bytes_ % 8 != 0 || piece.size() < 8)) {
    pending_ |= static_cast<uint64_t>(static_cast<unsigned char>(piece.front()))
                << (size_bytes_ % 8 * 8);
    piece.remove_prefix(1);
    if (++size_bytes_ % 8 == 0) {
      state_ = mixed(state_, pending_);
      pending_ = 0;
    }
  }
  for (; piece.size() >= 8; piece.remove_prefix(8)) {
    uint64_t word = 0;
    memcpy(&word, piece.data(), sizeof word);  // little endian, like pending_
    state_ = mixed(state_, word);
    size_bytes_ += 8;
  }
  if (!piece.empty()) add(piece);
}

uint64_t BodyHash::value() const {
  return mixed(mixed(state_, pending_), size_bytes_);
}

std::optional<std::vector<std::string>> split_records(std::string_view body) {
  body = trimmed(body);
  if (body.size() < 2 || body.front() != '[' || body.back() != ']') return std::nullopt;
  const std::string_view inside = trimmed(body.substr(1, body.size() - 2));
  std::vector<std::string> records;
  if (inside.empty()) return records;

  std::string open;  // the closing brackets still to come, innermost last
  bool is_in_string = false;
  size_t record_start = 0;
  for (size_t i = 0; i < inside.size(); ++i) {
    const char c = inside[i];
    if (is_in_string) {
      if (c == '\\') ++i;
      if (c == '"') is_in_string = false;
    } else if (c == '"') {
      is_in_string = true;
    } else if (c == '{' || c == '[') {
      open += c == '{' ? '}' : ']';
    } else if (c == '}' || c == ']') {
      if (open.empty() || open.back() != c) return std::nullopt;
      open.pop_back();
    } else if (c == ',' && open.empty()) {
      records.emplace_back(trimmed(inside.substr(record_start, i - record_start)));
      record_start = i + 1;
    }
  }
  if (is_in_string || !open.empty()) return std::nullopt;
  records.emplace_back(trimmed(inside.substr(record_start)));
  for (const std::string& record : records) {
    if (record.empty()) return std::nullopt;
  }
  return records;
}

}  // namespace posthaste::testing
