#include "journal/producer_file.h"

#include <algorithm>
#include <concepts>
#include <utility>

#include "core/deliberate_break.h"

namespace posthaste::journal {

using core::ErrorCode;
using core::Result;

namespace {

constexpr uint64_t kMagic = 0x3144525054534850u;  // "PHSTPRD1" as it stands on disk
constexpr uint32_t kVersion = 1;
constexpr size_t kHeaderSize = 64;
// In a sector of its own: the deliverer writes it while a producer writes the header.
constexpr uint64_t kCopiedOffset = 512;
constexpr size_t kCopiedSize = 32;
constexpr size_t kChecksumSize = 8;
// A source has five bits for the number plus one; the rest is the use, cut off.
constexpr uint32_t kNumberBits = 5;
constexpr uint32_t kNumberMask = (1u << kNumberBits) - 1;
// What is written anew after a failed sync, at one time.
constexpr size_t kPieceSize = size_t{64} << 10;

template <std::unsigned_integral Number>
void put(std::string& out, Number number) {
  for (size_t i = 0; i < sizeof(Number); ++i) {
    out.push_back(static_cast<char>(static_cast<unsigned char>(number >> (8 * i))));
  }
}

template <std::unsigned_integral Number>
void get(std::string_view& in, Number& number) {
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof(Number); ++i) {
    value |= uint64_t{static_cast<unsigned char>(in[i])} << (8 * i);
  }
  number = static_cast<Number>(value);
  in.remove_prefix(sizeof(Number));
}

void seal(std::string& bytes) {
  put(bytes, contents_checksum(bytes, kMagic));
}

bool is_sealed(std::string_view bytes) {
  std::string_view stored = bytes.substr(bytes.size() - kChecksumSize);
  uint64_t checksum = 0;
  get(stored, checksum);
  return checksum == contents_checksum(bytes.substr(0, bytes.size() - kChecksumSize), kMagic);
}

std::string encode(const ProducerHeader& header) {
  std::string bytes;
  bytes.reserve(kHeaderSize);
  put(bytes, kMagic);
  put(bytes, kVersion);
  put(bytes, header.number);
  put(bytes, header.use);
  put(bytes, uint32_t{0});
  for (const uint64_t field : {header.salt, header.committed_end, header.synced_end}) {
    put(bytes, field);
  }
  put(bytes, uint64_t{0});
  seal(bytes);
  return bytes;
}

core::Error damaged(const std::string& path, const char* what) {
  return {ErrorCode::SpoolIo, path + ": " + what, kDamagedKey};
}

}  // namespace

std::string producer_file_name(uint32_t number) {
  return number < 10 ? "producer-0" + std::to_string(number) : "producer-" + std::to_string(number);
}

FrameSource source_of(const ProducerHeader& header, uint64_t offset) {
  return {header.use << kNumberBits | (header.number + 1), offset};
}

uint32_t producer_number_of(const FrameSource& source) {
  return (source.file & kNumberMask) - 1;
}

ProducerFile::ProducerFile(std::unique_ptr<File> file, std::string path, uint32_t number)
    : file_(std::move(file)), path_(std::move(path)), number_(number) {}

Result<std::unique_ptr<ProducerFile>> ProducerFile::open(FileSystem& file_system,
                                                         const std::string& directory,
                                                         uint32_t number, Mode mode,
                                                         const FileAccess& access) {
  std::string path = directory + "/" + producer_file_name(number);
  auto file =
      file_system.open(path, mode == Mode::Create ? OpenMode::Share : OpenMode::Write, access);
  if (file) {
    return std::unique_ptr<ProducerFile>(
        new ProducerFile(std::move(*file), std::move(path), number));
  }
  if (mode == Mode::Existing && file.error().key == kMissingKey) {
    return std::unique_ptr<ProducerFile>();
  }
  return file.error();
}

Result<std::optional<ProducerHeader>> ProducerFile::header() const {
  auto bytes = read_at(0, kHeaderSize);
  if (!bytes) return bytes.error();
  // Empty, or a power cut took the header and left the size: then nobody ever synced the file.
  if (bytes->find_first_not_of('\0') == std::string::npos) return std::optional<ProducerHeader>();
  if (bytes->size() < kHeaderSize || !is_sealed(*bytes)) return damaged(path_, "damaged header");
  ProducerHeader header;
  uint64_t magic = 0;
  uint32_t version = 0;
  uint32_t reserved = 0;
  std::string_view in = *bytes;
  get(in, magic);
  get(in, version);
  get(in, header.number);
  get(in, header.use);
  get(in, reserved);
  for (uint64_t* field : {&header.salt, &header.committed_end, &header.synced_end}) get(in, *field);
  if (magic != kMagic || header.number != number_ || header.committed_end < kProducerFramesOffset) {
    return damaged(path_, "not the header of this file");
  }
  if (version != kVersion) return {ErrorCode::Unsupported, path_ + ": written by a newer version"};
  return std::optional<ProducerHeader>(header);
}

Result<ProducerHeader> ProducerFile::begin_use(uint32_t use, uint64_t salt) {
  ProducerHeader header;
  header.number = number_;
  header.use = use;
  header.salt = salt;
  // The header first: with an old one the frames below its end must be there.
  if (auto done = write_header(header); !done) return done.error();
  if (auto done = file_->truncate(kProducerFramesOffset); !done) return done.error();
  return header;
}

Result<> ProducerFile::append(ProducerHeader& header, std::string_view frame) {
  ProducerHeader next = header;
  next.committed_end += frame.size();
  const bool is_header_first = core::is_broken(core::Break::LengthBeforeFrame);
  if (is_header_first) {
    if (auto done = write_header(next); !done) return done;
  }
  if (auto done = file_->write_at(header.committed_end, frame); !done) return done;
  if (!is_header_first) {
    if (auto done = write_header(next); !done) return done;
  }
  header = next;
  return {};
}

Result<> ProducerFile::note_synced(ProducerHeader& header, uint64_t end) {
  if (end <= header.synced_end) return {};
  header.synced_end = end;
  return write_header(header);
}

Result<> ProducerFile::write_anew(uint64_t end) {
  for (uint64_t offset = 0; offset < end;) {
    auto bytes = read_at(offset, static_cast<size_t>(std::min<uint64_t>(end - offset, kPieceSize)));
    if (!bytes) return bytes.error();
    // Cut off: what is missing was not there before.
    if (bytes->empty()) return {};
    if (auto done = file_->write_at(offset, *bytes); !done) return done;
    offset += bytes->size();
  }
  return {};
}

Result<uint64_t> ProducerFile::copied_end(const ProducerHeader& header) const {
  auto bytes = read_at(kCopiedOffset, kCopiedSize);
  if (!bytes) return bytes.error();
  if (bytes->size() < kCopiedSize || !is_sealed(*bytes)) return kProducerFramesOffset;
  std::string_view in = *bytes;
  uint64_t use = 0;
  uint64_t salt = 0;
  uint64_t end = 0;
  for (uint64_t* field : {&use, &salt, &end}) get(in, *field);
  return use == header.use && salt == header.salt ? end : kProducerFramesOffset;
}

Result<> ProducerFile::set_copied_end(const ProducerHeader& header, uint64_t end) {
  std::string bytes;
  for (const uint64_t field : {uint64_t{header.use}, header.salt, end}) put(bytes, field);
  seal(bytes);
  return file_->write_at(kCopiedOffset, bytes);
}

// In one call, within one sector: neither a killed process nor a power cut leaves half of it.
Result<> ProducerFile::write_header(const ProducerHeader& header) {
  return file_->write_at(0, encode(header));
}

// Less than `size` at the end of the file.
Result<std::string> ProducerFile::read_at(uint64_t offset, size_t size) const {
  std::string bytes(size, '\0');
  auto count = file_->read_at(offset, bytes.data(), size);
  if (!count) return count.error();
  bytes.resize(*count);
  return bytes;
}

}  // namespace posthaste::journal
