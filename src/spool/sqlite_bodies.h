// Bodies of batches inside the database, in pieces: written when a long wait leaves the journal or
// a batch becomes a dead letter, read piece by piece when they are sent. Part of the SQLite store.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/stream.h"
#include "spool/sqlite_database.h"
#include "spool/sqlite_statement.h"
#include "spool/store.h"

namespace posthaste::spool {

// A body is cut into pieces of this size, each a row: neither writing nor reading one takes more
// memory, and no read transaction outlives one call.
inline constexpr uint64_t kPieceSize = 64u << 10;

// Seeded with the batch's sequence and the number of the piece, so that none passes for another.
uint64_t piece_checksum(uint64_t sequence, uint64_t index, std::string_view bytes);

// Copies bytes [offset, offset + size) of a batch's records; false when it cannot.
using RecordReader = std::function<bool(uint64_t offset, char* out, size_t size)>;

// Reads the records that the ranges name, front to back. `is_lost` is set when they are
// gone for good.
RecordReader journal_reader(std::vector<core::StreamRange> ranges, RecordSource& source,
                            bool& is_lost);

// Purpose: the table `bodies` on a connection that writes. Ownership: refers to the database.
// Threads: the connection's. Invariants: a body is there whole or, after false, to be rolled back
// or removed.
class BodyWriter {
 public:
  explicit BodyWriter(Database& database);

  // Writes `[` records `]`, whatever stood under this sequence before. False: the reader failed,
  // or the database did.
  bool write(uint64_t sequence, uint64_t records_bytes, const RecordReader& read);
  bool remove(uint64_t sequence);
  bool has(uint64_t sequence);
  // Reads the records of a body that is in the table.
  RecordReader reader(uint64_t sequence);

 private:
  Statement insert_;
  Statement remove_;
  Statement select_;
};

// Up to `room` bytes of a body from `offset` on, by way of a statement made from kSelectPiece; less
// than asked only at the end of a piece, 0 at the end of the body and after a failure. A piece with
// a wrong checksum is damage.
inline constexpr const char* kSelectPiece =
    "SELECT checksum, bytes FROM bodies WHERE sequence = ?1 AND piece = ?2";
size_t read_piece(Statement& select_piece, uint64_t sequence, uint64_t offset, char* out,
                  size_t room);

}  // namespace posthaste::spool
