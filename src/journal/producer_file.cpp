#include "journal/producer_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <concepts>

#include "journal/posix_file_system.h"

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

template <typename Call>
auto retried(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

int lock_command(int fd, short type) {
  struct flock range {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  return retried([&] { return ::fcntl(fd, F_OFD_SETLK, &range); });
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

Result<std::unique_ptr<ProducerFile>> ProducerFile::open(const std::string& directory,
                                                         uint32_t number, Mode mode,
                                                         const FileAccess& access) {
  const std::string path = directory + "/" + producer_file_name(number);
  // Not blocking: what lies there may be something else than a file.
  constexpr int kFlags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  bool is_new = false;
  int fd = retried([&] { return ::open(path.c_str(), kFlags); });
  if (fd < 0 && errno == ENOENT) {
    if (mode == Mode::Existing) return std::unique_ptr<ProducerFile>();
    fd = retried([&] { return ::open(path.c_str(), kFlags | O_CREAT | O_EXCL, 0600); });
    is_new = fd >= 0;
    // Another process was quicker.
    if (fd < 0 && errno == EEXIST) fd = retried([&] { return ::open(path.c_str(), kFlags); });
  }
  if (fd < 0) return io_error(errno, "open", path);
  std::unique_ptr<ProducerFile> file(new ProducerFile(fd, path, number));
  if (auto done = file->check_and_set_access(is_new, access); !done) return done.error();
  return file;
}

Result<> ProducerFile::check_and_set_access(bool is_new, const FileAccess& access) const {
  struct stat status {};
  if (::fstat(fd_, &status) != 0) return io_error(errno, "look at", path_);
  if (!S_ISREG(status.st_mode)) return io_error(EINVAL, "use", path_);
  if (!is_new) return {};
  // Both explicitly: the process has a umask, and the directory may pass on its group.
  if (access.group && ::fchown(fd_, static_cast<uid_t>(-1), *access.group) != 0) {
    return io_error(errno, "set the group of", path_);
  }
  if (::fchmod(fd_, access.mode) != 0) return io_error(errno, "set the mode of", path_);
  return {};
}

ProducerFile::~ProducerFile() {
  abandon();
}

void ProducerFile::abandon() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

bool ProducerFile::try_lock() {
  return lock_command(fd_, F_WRLCK) == 0;
}

void ProducerFile::unlock() {
  lock_command(fd_, F_UNLCK);
}

bool ProducerFile::is_gone() const {
  struct stat status {};
  return ::fstat(fd_, &status) != 0 || status.st_nlink == 0;
}

Result<std::optional<ProducerHeader>> ProducerFile::header() const {
  auto bytes = read_at(0, kHeaderSize);
  if (!bytes) return bytes.error();
  if (bytes->empty()) return std::optional<ProducerHeader>();
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
  const auto size = static_cast<off_t>(kProducerFramesOffset);
  if (retried([&] { return ::ftruncate(fd_, size); }) != 0) return io_error(errno, "cut", path_);
  return header;
}

Result<> ProducerFile::append(ProducerHeader& header, std::string_view frame) {
  if (auto done = write_at(header.committed_end, frame); !done) return done;
  ProducerHeader next = header;
  next.committed_end += frame.size();
  if (auto done = write_header(next); !done) return done;
  header = next;
  return {};
}

Result<> ProducerFile::note_synced(ProducerHeader& header, uint64_t end) {
  if (end <= header.synced_end) return {};
  header.synced_end = end;
  return write_header(header);
}

Result<> ProducerFile::sync() {
  if (retried([&] { return ::fdatasync(fd_); }) != 0) return io_error(errno, "sync", path_);
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
  return write_at(kCopiedOffset, bytes);
}

// In one call, within one sector: neither a killed process nor a power cut leaves half of it.
Result<> ProducerFile::write_header(const ProducerHeader& header) {
  return write_at(0, encode(header));
}

Result<> ProducerFile::write_at(uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = retried(
        [&] { return ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
    if (count < 0) return io_error(errno, "write", path_);
    offset += static_cast<uint64_t>(count);
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return {};
}

// Less than `size` at the end of the file.
Result<std::string> ProducerFile::read_at(uint64_t offset, size_t size) const {
  std::string bytes(size, '\0');
  const ssize_t count =
      retried([&] { return ::pread(fd_, bytes.data(), size, static_cast<off_t>(offset)); });
  if (count < 0) return io_error(errno, "read", path_);
  bytes.resize(static_cast<size_t>(count));
  return bytes;
}

}  // namespace posthaste::journal
