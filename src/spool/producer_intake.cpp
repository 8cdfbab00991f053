#include "spool/producer_intake.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "core/deliberate_break.h"
#include "core/limits.h"
#include "journal/producer_writer.h"

namespace posthaste::spool {

using core::Result;
using journal::ProducerFile;
using journal::ProducerHeader;

namespace {

constexpr size_t kChunkSize = size_t{256} << 10;

// A type's name and a record.
bool holds_record(const journal::FrameScanner& scanner) {
  return scanner.header().records_count == journal::kProducerEntriesCount &&
         scanner.entry(0).size <= core::kEventNameMax && scanner.entry(1).size > 0;
}

}  // namespace

ProducerIntake::ProducerIntake(journal::FileSystem& file_system, Options options,
                               std::function<uint64_t()> random)
    : file_system_(file_system), options_(std::move(options)), random_(std::move(random)) {}

void ProducerIntake::note_recovered(const journal::FrameSource& source) {
  if (source.file == 0) return;
  uint64_t& last = recovered_[source.file];
  last = std::max(last, source.offset);
}

Result<> ProducerIntake::look() {
  Result<> outcome;
  for (uint32_t number = 0; number < sources_.size(); ++number) {
    if (auto done = look_at(number); !done) outcome = done;
  }
  current_ = 0;
  return outcome;
}

std::vector<std::string> ProducerIntake::paths() const {
  std::vector<std::string> paths;
  for (const Source& source : sources_) {
    if (source.file) paths.push_back(source.file->path());
  }
  return paths;
}

Result<> ProducerIntake::look_at(uint32_t number) {
  Source& source = sources_[number];
  if (source.file && source.file->is_gone()) source = Source();
  if (!source.file && !open(source, number)) return {};
  const auto header = read_header(source, number);
  if (!header) return {};
  const bool is_news =
      header->committed_end != source.header.committed_end || header->salt != source.header.salt;
  if (is_news) {
    auto is_secure = secure(source, *header);
    if (!is_secure) return is_secure.error();
    if (!*is_secure) return {};
  }
  if (header->salt != source.header.salt || header->use != source.header.use) {
    adopt(source, *header);
  }
  if (header->committed_end != source.header.committed_end) forget_scan(source);
  source.header = *header;
  use_again(source);
  return {};
}

// What is copied must be on disk in its own file before. If a power cut took it back there and the
// copy stayed, the next producer would write other frames to the same place of the same use, and
// they would pass for copied. False: not now.
Result<bool> ProducerIntake::secure(Source& source, const ProducerHeader& header) {
  if (!options_.syncs || core::is_broken(core::Break::CopiesUnsecured)) return true;
  const bool is_done = header.synced_end >= header.committed_end ||
                       header.committed_end == journal::kProducerFramesOffset;
  if (is_done && !source.has_failed_sync) return true;
  if (source.has_failed_sync) {
    if (!source.file->try_lock()) return false;
    auto done = source.file->write_anew(header.committed_end);
    source.file->unlock();
    if (!done) return done.error();
  }
  if (auto done = sync(source); !done) return done.error();
  return true;
}

Result<> ProducerIntake::sync(Source& source) {
  auto done = source.file->sync();
  source.has_failed_sync = !done;
  return done;
}

bool ProducerIntake::open(Source& source, uint32_t number) {
  auto file = ProducerFile::open(file_system_, options_.directory, number,
                                 ProducerFile::Mode::Existing, {});
  if (!file) {
    refuse(source, file.error());
    return false;
  }
  source.file = std::move(*file);
  if (source.file) ++opened_count_;
  return source.file != nullptr;
}

// None: it was not used yet, or cannot be read now.
std::optional<ProducerHeader> ProducerIntake::read_header(Source& source, uint32_t number) {
  auto header = source.file->header();
  if (header) return *header;
  if (header.error().key != journal::kDamagedKey) {
    refuse(source, header.error());
    return std::nullopt;
  }
  // A producer may be writing it; under the lock it must be whole.
  if (!source.file->try_lock()) return std::nullopt;
  header = source.file->header();
  const bool is_damaged = !header && header.error().key == journal::kDamagedKey;
  if (is_damaged) {
    const std::string kept_as = fmt::format("{}/damaged-{}-{:016x}", options_.directory,
                                            journal::producer_file_name(number), random_());
    auto renamed = file_system_.rename(source.file->path(), kept_as);
    remarks_.push_back(fmt::format("producers: {}; {}", header.error().message,
                                   renamed ? "it is now " + kept_as : renamed.error().message));
    // A producer that has it open finds the damage, too, and goes on with another file.
    source.file->unlock();
    if (renamed) source = Source();
    return std::nullopt;
  }
  source.file->unlock();
  return header ? *header : std::nullopt;
}

void ProducerIntake::forget_scan(Source& source) {
  source.scanner.reset();
  source.is_ready = false;
}

// Another use of the file than the one that was known.
void ProducerIntake::adopt(Source& source, const ProducerHeader& header) {
  forget_scan(source);
  auto copied = source.file->copied_end(header);
  source.marked_end = copied ? *copied : journal::kProducerFramesOffset;
  source.next_offset = source.marked_end;
  // Whoever wrote it may have died before the sync.
  source.is_mark_kept = source.marked_end == journal::kProducerFramesOffset;
  const auto recovered = recovered_.find(journal::source_of(header, 0).file);
  source.skipped_end = recovered == recovered_.end() ? 0 : recovered->second + 1;
}

// Gives the file back to producers, empty, when it says itself that all of it was copied.
void ProducerIntake::use_again(Source& source) {
  const ProducerHeader& seen = source.header;
  if (seen.committed_end == journal::kProducerFramesOffset) return;
  const bool is_copied = core::is_broken(core::Break::UsedAgainEarly)
                             ? source.next_offset >= seen.committed_end
                             : source.marked_end >= seen.committed_end && source.is_mark_kept;
  if (!is_copied || !source.file->try_lock()) return;
  auto header = source.file->header();
  if (header && *header && **header == seen) {
    auto next = source.file->begin_use(seen.use + 1, random_());
    if (next) {
      adopt(source, *next);
      source.header = *next;
    }
  }
  source.file->unlock();
}

std::optional<ProducerIntake::Frame> ProducerIntake::next() {
  for (; current_ < sources_.size(); ++current_) {
    Source& source = sources_[current_];
    if (!source.file || source.next_offset >= source.header.committed_end) continue;
    if (!find_frame(source)) continue;
    const journal::FrameScanner& scanner = *source.scanner;
    const size_t type_size = scanner.entry(0).size;
    return Frame{scanner.wire().substr(0, type_size), scanner.wire().substr(type_size),
                 journal::source_of(source.header, scanner.offset())};
  }
  return std::nullopt;
}

// Goes to the next whole frame that the journal does not have.
bool ProducerIntake::find_frame(Source& source) {
  if (source.is_ready) return true;
  const uint64_t end = source.header.committed_end;
  if (!source.scanner) {
    auto file = file_system_.open(source.file->path(), journal::OpenMode::Read, {});
    if (!file) {
      refuse(source, file.error());
      return false;
    }
    source.scanner = std::make_unique<journal::FrameScanner>(
        std::move(*file), end, source.header.salt, source.next_offset, kChunkSize);
  }
  journal::FrameScanner& scanner = *source.scanner;
  while (scanner.find(0, end)) {
    if (!scanner.load() || !holds_record(scanner)) continue;
    pass_damage(source, scanner.offset());
    if (scanner.offset() >= source.skipped_end) {
      source.is_ready = true;
      return true;
    }
    source.next_offset = scanner.offset() + scanner.header().frame_size();
  }
  const core::Error error = scanner.read_error();
  source.scanner.reset();
  if (error.code == core::ErrorCode::Ok) {
    pass_damage(source, end);
  } else {
    refuse(source, error);
  }
  return false;
}

// What lies before `end` and is not a frame is lost: damage, or the torn tail of a power cut.
void ProducerIntake::pass_damage(Source& source, uint64_t end) {
  if (end <= source.next_offset) return;
  if (source.next_offset < source.header.synced_end) {
    remarks_.push_back(fmt::format("producers: {}: {} bytes from {} on are damaged",
                                   source.file->path(), end - source.next_offset,
                                   source.next_offset));
  }
  source.next_offset = end;
}

// It is tried again with every look, and reported once.
void ProducerIntake::refuse(Source& source, const core::Error& error) {
  if (!source.is_refused) remarks_.push_back("producers: " + error.message);
  source.is_refused = true;
}

void ProducerIntake::take() {
  Source& source = sources_[current_];
  source.next_offset = source.scanner->offset() + source.scanner->header().frame_size();
  source.is_ready = false;
}

Result<> ProducerIntake::skip_recovered() {
  if (auto done = look(); !done) return done;
  for (Source& source : sources_) {
    if (source.file && source.next_offset < source.skipped_end) find_frame(source);
  }
  return mark_copied();
}

Result<> ProducerIntake::mark_copied() {
  for (Source& source : sources_) {
    if (!source.file || (source.next_offset <= source.marked_end && source.is_mark_kept)) continue;
    auto done = source.file->set_copied_end(source.header, source.next_offset);
    const bool is_kept = options_.syncs && !core::is_broken(core::Break::MarkUnsynced);
    if (done && is_kept) done = sync(source);
    if (!done) return done;
    source.marked_end = source.next_offset;
    source.is_mark_kept = true;
  }
  return {};
}

}  // namespace posthaste::spool
