#include "journal/recovery.h"

#include <algorithm>
#include <limits>

#include "journal/frame.h"
#include "journal/frame_scanner.h"

namespace posthaste::journal {

namespace {

constexpr core::StreamPosition kNoLimit = std::numeric_limits<core::StreamPosition>::max();
constexpr core::StreamPosition kFirstPosition = 1;
constexpr size_t kChunkSize = 256u << 10;

// A stretch of the stream that no intact frame covers.
struct Gap {
  core::StreamPosition begin = 0;
  core::StreamPosition end = 0;
  core::StreamPosition last_end = 0;  // of the frame before it
  JournalFile* file = nullptr;        // where it begins
};

struct Found {
  std::shared_ptr<JournalFile> file;
  FileHeader header;
};

// Purpose: one recovery. Ownership: refers to what it was given. Threads: one. Invariants: those of
// recover_journal.
class Recovery {
 public:
  Recovery(FileSystem& file_system, const std::string& directory, const JournalKnown& known,
           JournalFindings& findings)
      : file_system_(file_system), directory_(directory), known_(known), findings_(findings) {}

  core::Result<RecoveredJournal> run();

 private:
  core::Result<> read_file(FileName name, const std::string& path);
  std::optional<FileHeader> read_header(const File& file, uint64_t number, bool& is_damaged);
  void choose_files();
  core::Result<> scan();
  core::Result<> scan_file(size_t index);
  void note_gap(core::StreamPosition end, JournalFile* file);
  void note_damage(const std::string& path);
  void note_damage(JournalFile& file);
  void judge_gaps();
  void cut_at(core::StreamPosition log_end);

  FileSystem& file_system_;
  const std::string& directory_;
  const JournalKnown& known_;
  JournalFindings& findings_;

  std::vector<Found> found_;  // in use; ascending after run() has sorted them
  std::vector<Gap> gaps_;
  core::StreamPosition expected_ = 0;  // of the next frame
  core::StreamPosition last_end_ = 0;  // of the last frame
  uint64_t newest_in_use_ = 0;         // number
  uint64_t clean_end_offset_ = 0;      // of the last file scanned; 0: not clean
  RecoveredJournal out_;
};

core::Result<RecoveredJournal> Recovery::run() {
  auto names = file_system_.list(directory_);
  if (!names) return names.error();
  for (const std::string& text : *names) {
    const auto name = parse_file_name(text);
    if (!name) continue;
    out_.last_number = std::max(out_.last_number, name->number);
    if (name->kind == FileKind::Damaged) continue;
    if (auto result = read_file(*name, directory_ + "/" + text); !result) return result.error();
  }
  if (newest_in_use_ < known_.newest_file) {
    note_damage(directory_ + "/" + file_name({FileKind::InUse, known_.newest_file}));
    out_.last_number = std::max(out_.last_number, known_.newest_file);
  }
  std::sort(found_.begin(), found_.end(),
            [](const Found& a, const Found& b) { return a.header.number < b.header.number; });
  choose_files();
  out_.synced = known_.synced;
  for (const Found& found : found_) out_.synced = std::max(out_.synced, found.header.synced);
  if (auto result = scan(); !result) return result.error();
  judge_gaps();
  return std::move(out_);
}

core::Result<> Recovery::read_file(FileName name, const std::string& path) {
  auto file = file_system_.open(path, OpenMode::Read, {});
  if (!file) return file.error();
  auto size_bytes = (*file)->size();
  if (!size_bytes) return size_bytes.error();
  if (name.kind == FileKind::Spare) {
    out_.spares.push_back({name.number, path, *size_bytes});
    return {};
  }
  newest_in_use_ = std::max(newest_in_use_, name.number);
  bool is_damaged = false;
  const auto header = read_header(**file, name.number, is_damaged);
  if (is_damaged) note_damage(path);
  if (!header) {
    out_.unreadable.push_back({name.number, path, *size_bytes});
    return {};
  }
  if (header->version > kFormatVersion) {
    return {core::ErrorCode::Unsupported, path + " was written by a newer version, format " +
                                              std::to_string(header->version) +
                                              "; use the library that wrote it"};
  }
  if (is_damaged) out_.half_headers.push_back({path, *header});
  found_.push_back(
      {std::make_shared<JournalFile>(name.number, path, *size_bytes, header->salt, header->first),
       *header});
  return {};
}

// Either copy will do, but both should be there: they are synced before the file gets its name.
std::optional<FileHeader> Recovery::read_header(const File& file, uint64_t number,
                                                bool& is_damaged) {
  std::optional<FileHeader> header;
  for (const uint64_t offset : {kPageSize, uint64_t{0}}) {
    std::string bytes(kFileHeaderSize, '\0');
    auto count = file.read_at(offset, bytes.data(), bytes.size());
    bytes.resize(count ? *count : 0);
    const auto copy = decode_file_header(bytes);
    if (copy && copy->number == number) {
      header = copy;
    } else {
      is_damaged = true;
    }
  }
  return header;
}

// A file taken into use later says where the journal ended then: from there on it counts alone.
void Recovery::choose_files() {
  core::StreamPosition limit = kNoLimit;
  std::vector<Found> chosen;
  for (auto found = found_.rbegin(); found != found_.rend(); ++found) {
    if (found->header.first >= limit) {
      out_.void_files.push_back(found->file);
      continue;
    }
    found->file->end = limit;
    limit = std::min(limit, found->header.log_end);
    chosen.push_back(*found);
  }
  std::reverse(chosen.begin(), chosen.end());
  // What was void then is known to have had lower positions than what came after it.
  for (const Found& found : found_) out_.next = std::max(out_.next, found.header.first);
  found_ = std::move(chosen);
}

core::Result<> Recovery::scan() {
  size_t first = 0;
  for (size_t i = 0; i < found_.size(); ++i) {
    if (found_[i].header.first <= known_.low) first = i;
  }
  expected_ = last_end_ = std::max(known_.low, kFirstPosition);
  if (!found_.empty()) {
    const FileHeader& header = found_[first].header;
    if (header.first <= expected_) expected_ = header.log_end;
    last_end_ = std::min(expected_, header.log_end);
  }
  for (size_t i = first; i < found_.size(); ++i) {
    const FileHeader& header = found_[i].header;
    if (expected_ < header.log_end) {
      note_gap(header.log_end, found_[i > first ? i - 1 : i].file.get());
    }
    expected_ = std::max(expected_, header.first);
    if (auto result = scan_file(i); !result) return result.error();
  }
  return {};
}

core::Result<> Recovery::scan_file(size_t index) {
  JournalFile& file = *found_[index].file;
  auto opened = file_system_.open(file.path, OpenMode::Read, {});
  if (!opened) return opened.error();
  FrameScanner scanner(std::move(*opened), file.size_bytes, file.salt, kFramesOffset, kChunkSize);
  const core::StreamPosition limit = file.end;
  uint64_t end_offset = kFramesOffset;
  clean_end_offset_ = 0;
  while (expected_ < limit && scanner.find(expected_, limit)) {
    end_offset = 0;
    if (!scanner.load()) continue;
    const FrameHeader& header = scanner.header();
    if (header.follows > expected_) note_gap(header.follows, &file);
    file.note_frame({header.position, scanner.offset()});
    out_.synced = std::max(out_.synced, header.synced);
    expected_ = last_end_ = header.end();
    end_offset = scanner.offset() + header.frame_size();
  }
  file.end = expected_;
  if (scanner.read_error().code != core::ErrorCode::Ok) {
    note_damage(file);
  } else if (limit == kNoLimit) {
    // Nothing that looks like a frame comes behind: the next one may go there.
    clean_end_offset_ = end_offset;
  }
  return {};
}

// From the frame expected to `end`. What is missing before `low` is not missed.
void Recovery::note_gap(core::StreamPosition end, JournalFile* file) {
  const core::StreamPosition begin = std::max(expected_, known_.low);
  if (begin < end) gaps_.push_back({begin, end, last_end_, file});
}

void Recovery::note_damage(const std::string& path) {
  auto& files = findings_.damaged_files;
  if (std::find(files.begin(), files.end(), path) == files.end()) files.push_back(path);
}

// Its frames, not only a header: it is not used again, so that it stays as it was.
void Recovery::note_damage(JournalFile& file) {
  file.is_damaged = true;
  note_damage(file.path);
}

// The rule of synced_seq: what is missing below the greatest synced position was promised, and is
// damage; the first gap above it is where a power cut ended the journal.
void Recovery::judge_gaps() {
  out_.next = std::max({out_.next, expected_, known_.at_least, known_.low});
  if (expected_ < out_.synced) {
    note_gap(out_.synced, found_.empty() ? nullptr : found_.back().file.get());
    last_end_ = out_.synced;
  }
  for (const Gap& gap : gaps_) {
    if (gap.begin >= out_.synced) {
      findings_.torn_at = gap.begin;
      cut_at(gap.last_end);
      return;
    }
    if (gap.file) gap.file->is_damaged = true;
    if (gap.end <= known_.accepted) continue;
    findings_.lost.push_back({gap.begin, gap.end - gap.begin});
    if (gap.file) note_damage(*gap.file);
  }
  cut_at(last_end_);
}

void Recovery::cut_at(core::StreamPosition log_end) {
  out_.log_end = log_end;
  out_.next = std::max(out_.next, log_end);
  const bool is_clean = findings_.torn_at == 0 && !findings_.is_damaged() && clean_end_offset_ != 0;
  for (const Found& found : found_) {
    JournalFile& file = *found.file;
    file.end = std::max(file.first, std::min(file.end, log_end));
    // The newest file goes on, even if it is empty.
    const bool is_resumed = is_clean && !file.is_damaged && file.number == newest_in_use_;
    const bool counts = file.first < log_end || is_resumed;
    (counts ? out_.files : out_.void_files).push_back(found.file);
    if (is_resumed) out_.resume_offset = clean_end_offset_;
  }
}

}  // namespace

core::Result<RecoveredJournal> recover_journal(FileSystem& file_system,
                                               const std::string& directory,
                                               const JournalKnown& known,
                                               JournalFindings& findings) {
  return Recovery(file_system, directory, known, findings).run();
}

}  // namespace posthaste::journal
