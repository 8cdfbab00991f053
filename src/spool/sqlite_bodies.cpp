#include "spool/sqlite_bodies.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "journal/frame.h"
#include "journal/range_reader.h"

namespace posthaste::spool {

uint64_t piece_checksum(uint64_t sequence, uint64_t index, std::string_view bytes) {
  constexpr unsigned kIndexBits = 20;
  return journal::contents_checksum(bytes, (sequence << kIndexBits) + index);
}

RecordReader journal_reader(std::vector<core::StreamRange> ranges, RecordSource& source,
                            bool& is_lost) {
  // Where the range `index` begins among the records; calls go forward.
  return [ranges = std::move(ranges), &source, &is_lost, index = size_t{0}, start = uint64_t{0}](
             uint64_t offset, char* out, size_t size) mutable {
    while (size > 0) {
      while (index < ranges.size() && offset - start >= ranges[index].size) {
        start += ranges[index].size;
        ++index;
      }
      if (index == ranges.size()) return false;
      const uint64_t skipped = offset - start;
      const size_t taken =
          static_cast<size_t>(std::min<uint64_t>(size, ranges[index].size - skipped));
      if (auto copied = source.read(ranges[index].position + skipped, out, taken); !copied) {
        is_lost = copied.error().key == journal::kLostKey;
        return false;
      }
      out += taken;
      offset += taken;
      size -= taken;
    }
    return true;
  };
}

BodyWriter::BodyWriter(Database& database)
    : insert_(database,
              "INSERT OR REPLACE INTO bodies (sequence, piece, checksum, bytes) "
              "VALUES (?1, ?2, ?3, ?4)"),
      remove_(database, "DELETE FROM bodies WHERE sequence = ?1"),
      select_(database, kSelectPiece) {}

bool BodyWriter::write(uint64_t sequence, uint64_t records_bytes, const RecordReader& read) {
  if (!remove(sequence)) return false;
  const uint64_t size_bytes = records_bytes + 1;
  std::string piece;
  for (uint64_t offset = 0, index = 0; offset < size_bytes; offset += kPieceSize, ++index) {
    piece.resize(static_cast<size_t>(std::min(kPieceSize, size_bytes - offset)));
    // The body is the records moved by one byte, with brackets at both ends; the closing one
    // stands for the last comma.
    const bool is_first = offset == 0;
    const bool is_last = offset + piece.size() == size_bytes;
    char* const records = piece.data() + (is_first ? 1 : 0);
    const size_t size = piece.size() - (is_first ? 1 : 0) - (is_last ? 1 : 0);
    if (size > 0 && !read(is_first ? 0 : offset - 1, records, size)) return false;
    if (is_first) piece.front() = '[';
    if (is_last) piece.back() = ']';
    insert_.bind(sequence, index, piece_checksum(sequence, index, piece), Blob{piece});
    if (!insert_.run()) return false;
  }
  return true;
}

bool BodyWriter::remove(uint64_t sequence) {
  return remove_.bind(sequence).run();
}

bool BodyWriter::has(uint64_t sequence) {
  select_.bind(sequence, uint64_t{0});
  const bool is_there = select_.step();
  select_.reset();
  return is_there;
}

RecordReader BodyWriter::reader(uint64_t sequence) {
  return [this, sequence](uint64_t offset, char* out, size_t size) {
    while (size > 0) {
      const size_t taken = read_piece(select_, sequence, offset + 1, out, size);
      if (taken == 0) return false;
      out += taken;
      offset += taken;
      size -= taken;
    }
    return true;
  };
}

size_t read_piece(Statement& select_piece, uint64_t sequence, uint64_t offset, char* out,
                  size_t room) {
  const uint64_t index = offset / kPieceSize;
  select_piece.bind(sequence, index);
  size_t taken = 0;
  if (select_piece.step()) {
    const std::string_view bytes = select_piece.bytes(1);
    const size_t skipped = static_cast<size_t>(offset % kPieceSize);
    if (select_piece.number(0) != piece_checksum(sequence, index, bytes)) {
      select_piece.note_damage(fmt::format("a piece of the body of batch {} is damaged", sequence));
    } else if (skipped < bytes.size()) {
      taken = std::min(room, bytes.size() - skipped);
      std::memcpy(out, bytes.data() + skipped, taken);
    }
  }
  select_piece.reset();
  return taken;
}

}  // namespace posthaste::spool
