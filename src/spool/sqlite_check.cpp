#include "spool/sqlite_check.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "spool/range_code.h"
#include "spool/sqlite_batches.h"
#include "spool/sqlite_bodies.h"
#include "spool/sqlite_database.h"
#include "spool/sqlite_statement.h"

namespace posthaste::spool {
namespace {

// More than anybody reads.
constexpr size_t kFindingsMax = 100;
constexpr int32_t kCacheKib = 2048;
// Of SQLite's machine: microseconds.
constexpr int kStepsBetweenLooks = 1000;

// A query that must have no rows; each row's first column goes into the text.
struct Rule {
  const char* text;
  const char* query;
};

constexpr Rule kRules[] = {
    {"batch {} is for a webhook that is not in the database",
     "SELECT sequence FROM batches WHERE (generation, target_revision) NOT IN "
     "(SELECT generation, target_revision FROM webhooks)"},
    {"batch {} ends behind the cursor of its webhook",
     "SELECT b.sequence FROM batches b JOIN cursors c USING (generation) "
     "WHERE b.end_position > c.sealed_to"},
    {"batch {} is also a dead letter",
     "SELECT sequence FROM batches WHERE sequence IN (SELECT sequence FROM dead_letters)"},
    {"batch {} is newer than the greatest sequence that was given",
     "SELECT sequence FROM batches WHERE sequence > "
     "(SELECT coalesce(max(value), 0) FROM meta WHERE key = 'greatest_sequence')"},
    {"batch {} has retries but no row",
     "SELECT sequence FROM retries WHERE sequence NOT IN (SELECT sequence FROM batches)"},
    {"webhook of generation {} has no cursor",
     "SELECT DISTINCT generation FROM webhooks WHERE generation NOT IN "
     "(SELECT generation FROM cursors)"},
    {"the cursor of generation {} has no webhook",
     "SELECT generation FROM cursors WHERE generation NOT IN (SELECT generation FROM webhooks)"},
    {"a piece of a body belongs to batch {}, which has none",
     "SELECT DISTINCT sequence FROM bodies WHERE sequence NOT IN "
     "(SELECT sequence FROM batches WHERE body_kind = 1) AND sequence NOT IN "
     "(SELECT sequence FROM dead_letters)"},
};

class Check {
 public:
  Check(Database& database, const std::atomic<bool>& is_stopped)
      : database_(database), is_stopped_(is_stopped) {}

  core::Result<Findings> run() {
    check_pages();
    check_rows();
    check_bodies("SELECT sequence, size_bytes FROM batches WHERE body_kind = 1");
    check_bodies("SELECT sequence, size_bytes FROM dead_letters");
    for (const Rule& rule : kRules) check_rule(rule);
    return std::move(findings_);
  }

 private:
  // A damaged page is a finding, and what it makes unreadable may be many.
  void end_part() {
    if (!database_.is_ok()) find(database_.take_error().message);
  }

  void find(std::string text) {
    if (findings_.size() < kFindingsMax) findings_.push_back(std::move(text));
  }

  void check_pages() {
    Statement check(database_, "PRAGMA integrity_check(50)");
    while (check.step()) {
      if (check.bytes(0) != "ok") find(check.text(0));
    }
    end_part();
  }

  void check_rows() {
    Statement select(database_,
                     "SELECT sequence, id, size_bytes, first_position, end_position, ranges, "
                     "events_count, body_kind, generation, target_revision FROM batches");
    while (select.step()) {
      const std::string facts = batch_facts(select.bytes(1), select.number(8), select.number(9),
                                            select.count(6), select.number(2));
      const auto ranges = open_ranges(select.number(0), facts, select.bytes(5));
      if (!ranges || (ranges->empty() == !select.flag(7)) || select.number(6) == 0) {
        find(fmt::format("the row of batch {} is damaged", select.number(0)));
      } else if (!ranges->empty() && (total_size(*ranges) + 1 != select.number(2) ||
                                      ranges->front().position != select.number(3) ||
                                      ranges->back().end() != select.number(4))) {
        find(fmt::format("the ranges of batch {} do not fit its size", select.number(0)));
      }
    }
    end_part();
  }

  // Reads every piece.
  void check_bodies(const char* query) {
    Statement select(database_, query);
    Statement select_piece(database_, kSelectPiece);
    std::vector<char> piece(kPieceSize);
    while (!is_stopped_ && select.step()) {
      const uint64_t sequence = select.number(0);
      uint64_t size_bytes = 0;
      while (const size_t taken =
                 read_piece(select_piece, sequence, size_bytes, piece.data(), piece.size())) {
        size_bytes += taken;
      }
      // A damaged piece must not end the search.
      if (!database_.is_ok()) find(database_.take_error().message);
      if (size_bytes != select.number(1)) {
        find(fmt::format("the body of batch {} is not whole", sequence));
      }
    }
    end_part();
  }

  void check_rule(const Rule& rule) {
    Statement select(database_, rule.query);
    while (select.step()) find(fmt::format(fmt::runtime(rule.text), select.number(0)));
    end_part();
  }

  Database& database_;
  const std::atomic<bool>& is_stopped_;
  Findings findings_;
};

}  // namespace

core::Result<Findings> check_database(const std::string& path, const char* vfs,
                                      const std::atomic<bool>& is_stopped) {
  Database database;
  auto opened = database.open(path, Access::ReadOnly, vfs, kCacheKib);
  if (opened) {
    sqlite3_progress_handler(
        database.handle(), kStepsBetweenLooks,
        [](void* user_data) {
          return static_cast<const std::atomic<bool>*>(user_data)->load() ? 1 : 0;
        },
        const_cast<std::atomic<bool>*>(&is_stopped));
    auto findings = Check(database, is_stopped).run();
    if (is_stopped) return {core::ErrorCode::State, "the check was ended by the close"};
    return findings;
  }
  if (is_damage(opened.error())) return Findings{opened.error().message};
  return opened.error();
}

}  // namespace posthaste::spool
