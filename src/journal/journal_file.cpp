#include "journal/journal_file.h"

#include <algorithm>
#include <charconv>

#include "journal/frame.h"

namespace posthaste::journal {

namespace {

constexpr uint64_t kCheckpointDistance = 1u << 20;
constexpr size_t kDigits = 12;

struct Prefix {
  FileKind kind;
  std::string_view text;
};
constexpr Prefix kPrefixes[] = {
    {FileKind::InUse, "journal-"}, {FileKind::Spare, "spare-"}, {FileKind::Damaged, "damaged-"}};

}  // namespace

std::string file_name(FileName name) {
  const std::string digits = std::to_string(name.number);
  std::string text;
  for (const Prefix& prefix : kPrefixes) {
    if (prefix.kind == name.kind) text = prefix.text;
  }
  if (digits.size() < kDigits) text.append(kDigits - digits.size(), '0');
  return text + digits;
}

std::optional<FileName> parse_file_name(std::string_view name) {
  for (const Prefix& prefix : kPrefixes) {
    if (!name.starts_with(prefix.text)) continue;
    FileName parsed{prefix.kind, 0};
    const char* begin = name.data() + prefix.text.size();
    const char* end = name.data() + name.size();
    const auto result = std::from_chars(begin, end, parsed.number);
    if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
    // One number, one name.
    if (file_name(parsed) != name) return std::nullopt;
    return parsed;
  }
  return std::nullopt;
}

void JournalFile::note_frame(Checkpoint frame) {
  const std::lock_guard lock(mutex_);
  const uint64_t last = checkpoints_.empty() ? kFramesOffset : checkpoints_.back().offset;
  if (frame.offset >= last + kCheckpointDistance) checkpoints_.push_back(frame);
}

Checkpoint JournalFile::checkpoint_before(core::StreamPosition position) const {
  const std::lock_guard lock(mutex_);
  const auto behind = std::upper_bound(
      checkpoints_.begin(), checkpoints_.end(), position,
      [](core::StreamPosition wanted, const Checkpoint& at) { return wanted < at.position; });
  return behind == checkpoints_.begin() ? Checkpoint{first, kFramesOffset} : *std::prev(behind);
}

}  // namespace posthaste::journal
