#include "support/spool_damage.h"

#include <sqlite3.h>
#include <sys/stat.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace posthaste::testing {

namespace {

namespace fs = std::filesystem;

constexpr size_t kPageSize = 4096;
constexpr size_t kFramesOffset = 2 * kPageSize;
constexpr std::string_view kFrameMagic = "\x50\x48\x46\xa6";

void write_bytes(const fs::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::vector<fs::path> journal_files(const fs::path& directory) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().filename().string().starts_with("journal-")) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

fs::path file_of(const fs::path& directory, const std::string& word) {
  if (word == "db") return directory / "spool.db";
  if (word == "wal") return directory / "spool.db-wal";
  const std::vector<fs::path> files = journal_files(directory);
  if (word == "journal" && !files.empty()) return files.back();
  if (word == "first-journal" && !files.empty()) return files.front();
  throw std::runtime_error("no file " + word + " to damage");
}

void run_sql(const fs::path& path, const std::string& sql) {
  sqlite3* database = nullptr;
  int code = sqlite3_open(path.c_str(), &database);
  if (code == SQLITE_OK) code = sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr);
  sqlite3_close(database);
  if (code != SQLITE_OK) throw std::runtime_error("cannot run " + sql);
}

// Of a copy, since looking at the original would change it.
size_t root_page(const fs::path& path, const std::string& table) {
  const fs::path copy = path.string() + ".look";
  fs::copy_file(path, copy, fs::copy_options::overwrite_existing);
  sqlite3* database = nullptr;
  size_t page = 0;
  sqlite3_open(copy.c_str(), &database);
  sqlite3_exec(
      database, ("SELECT rootpage FROM sqlite_schema WHERE name = '" + table + "'").c_str(),
      [](void* out, int, char** columns, char**) {
        *static_cast<size_t*>(out) = std::strtoul(columns[0], nullptr, 10);
        return 0;
      },
      &page, nullptr);
  sqlite3_close(database);
  for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(copy.string() + suffix);
  if (page == 0) throw std::runtime_error("no table " + table);
  return (page - 1) * kPageSize;
}

size_t frame_offset(const std::string& bytes, long index) {
  std::vector<size_t> offsets;
  for (size_t at = kFramesOffset; at + 64 <= bytes.size(); at += 8) {
    if (bytes.compare(at, kFrameMagic.size(), kFrameMagic) == 0) offsets.push_back(at);
  }
  const auto count = static_cast<long>(offsets.size());
  const long place = index < 0 ? count + index : index;
  if (place < 0 || place >= count) throw std::runtime_error("no such frame");
  return offsets[static_cast<size_t>(place)];
}

// A number, `frame:1`, `page:batches` or `end`, and `+12` or `-12` behind it.
size_t place_of(const fs::path& path, const std::string& word) {
  const std::string bytes = read_bytes(path);
  const size_t sign = word.find_first_of("+-", word.starts_with("frame:-") ? 7 : 1);
  const std::string base = word.substr(0, sign);
  const long more = sign == std::string::npos ? 0 : std::stol(word.substr(sign));
  size_t place = 0;
  if (base.starts_with("frame:")) {
    place = frame_offset(bytes, std::stol(base.substr(6)));
  } else if (base.starts_with("page:")) {
    place = root_page(path, base.substr(5));
  } else if (base == "end") {
    place = bytes.size();
  } else {
    place = std::stoul(base);
  }
  place += static_cast<size_t>(more);
  if (place > bytes.size()) throw std::runtime_error(word + " is outside of " + path.string());
  return place;
}

// As a later version of the library would write it: both copies, with right checksums.
void make_newer(const fs::path& path) {
  std::string bytes = read_bytes(path);
  for (const size_t at : {size_t{0}, kPageSize}) {
    bytes.at(at + 8) = 9;
    const uint64_t checksum = XXH3_64bits_withSeed(bytes.data() + at, 56, 0);
    std::memcpy(bytes.data() + at + 56, &checksum, sizeof checksum);
  }
  write_bytes(path, bytes);
}

void swap_pages(const fs::path& path, size_t first, size_t second) {
  std::string bytes = read_bytes(path);
  if (std::max(first, second) + kPageSize > bytes.size()) throw std::runtime_error("no such page");
  std::swap_ranges(bytes.begin() + static_cast<std::ptrdiff_t>(first),
                   bytes.begin() + static_cast<std::ptrdiff_t>(first + kPageSize),
                   bytes.begin() + static_cast<std::ptrdiff_t>(second));
  write_bytes(path, bytes);
}

// Damages that need no place.
bool damage_file(const std::string& verb, const fs::path& path) {
  if (verb == "remove") {
    fs::remove(path);
  } else if (verb == "empty") {
    write_bytes(path, "");
  } else if (verb == "foreign") {
    write_bytes(path, "These are somebody's notes, which lie here under a wrong name.\n");
  } else if (verb == "newer") {
    make_newer(path);
  } else if (verb == "newer-format") {
    run_sql(path, "PRAGMA user_version = 99");
  } else if (verb == "other-application") {
    fs::remove(path);
    run_sql(path, "CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('not yours')");
  } else {
    return false;
  }
  return true;
}

void damage_once(const fs::path& directory, std::istringstream& words) {
  std::string verb;
  std::string file;
  std::string place_word;
  words >> verb >> file;
  if (verb == "nothing") return;
  if (verb == "world-writable") {
    if (::chmod(directory.c_str(), 0777) != 0) throw std::runtime_error("chmod failed");
    return;
  }
  if (verb == "add") return write_bytes(directory / file, "somebody's notes\n");
  const fs::path path = file_of(directory, file);
  if (damage_file(verb, path)) return;
  if (!(words >> place_word)) throw std::runtime_error("what is to " + verb + "?");
  const size_t place = place_of(path, place_word);
  size_t number = 0;
  words >> number;
  std::string bytes = read_bytes(path);
  if (verb == "cut") {
    bytes.resize(place);
  } else if (verb == "flip") {
    bytes.at(place) = static_cast<char>(bytes.at(place) ^ (1 << number % 8));
  } else if (verb == "zero") {
    if (number == 0) throw std::runtime_error("zero how much?");
    number = std::min(number, bytes.size() - place);
    bytes.replace(place, number, number, '\0');
  } else if (verb == "swap") {
    return swap_pages(path, place, number);
  } else {
    throw std::runtime_error("no damage is called " + verb);
  }
  write_bytes(path, bytes);
}

}  // namespace

std::string read_bytes(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void damage_spool(const fs::path& directory, std::string_view line) {
  std::istringstream damages{std::string(line)};
  for (std::string damage; std::getline(damages, damage, ',');) {
    std::istringstream words(damage);
    damage_once(directory, words);
  }
}

std::string random_damage(const fs::path& directory, uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto below = [&](size_t limit) { return limit == 0 ? 0 : random() % limit; };
  const char* file = "journal";
  const fs::path log = directory / "spool.db-wal";
  const bool has_log = fs::exists(log) && fs::file_size(log) > 0;
  if (below(3) != 0) file = has_log && below(2) == 0 ? "wal" : "db";
  const fs::path path = file_of(directory, file);
  size_t size = fs::file_size(path);
  // The rest of a journal file was never written.
  if (std::string_view(file) == "journal") {
    size = std::min(size, frame_offset(read_bytes(path), -1) + 1024);
  }
  const size_t place = below(size);
  const auto line = [&](const std::string& verb, size_t at, const std::string& rest) {
    return verb + ' ' + file + ' ' + std::to_string(at) + rest;
  };
  switch (below(8)) {
    case 0:
      return line("cut", place, "");
    case 1:
      return line("zero", place / kPageSize * kPageSize, " 4096");
    case 2:
      return line("zero", place, ' ' + std::to_string(1 + below(200)));
    case 3:
      if (size < 2 * kPageSize) break;
      return line("swap", below(size / kPageSize - 1) * kPageSize,
                  ' ' + std::to_string(below(size / kPageSize - 1) * kPageSize));
    default:
      break;
  }
  std::string damages;
  for (size_t i = below(8) == 0 ? 40 : 1; i > 0; --i) {
    damages += damages.empty() ? "" : ", ";
    damages += line("flip", below(size), ' ' + std::to_string(below(8)));
  }
  return damages;
}

void copy_spool(const fs::path& from, const fs::path& to) {
  fs::create_directories(to);
  fs::permissions(to, fs::perms::owner_all);
  for (const auto& entry : fs::directory_iterator(from)) {
    const std::string name = entry.path().filename().string();
    if (name == "ballast" || name == "lock" || name.starts_with("spare-")) continue;
    fs::copy_file(entry.path(), to / name);
  }
}

}  // namespace posthaste::testing
