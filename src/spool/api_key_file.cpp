#include "spool/api_key_file.h"

#include <fmt/format.h>

#include <utility>

#include "json/value.h"
#include "json/writer.h"

namespace posthaste::spool {
namespace {

using core::ErrorCode;
using core::Result;

constexpr size_t kFileSizeMax = size_t{1} << 20;

std::string keys_json(const std::vector<ApiKey>& keys) {
  std::string text;
  json::Writer writer(text);
  writer.begin_array();
  for (const ApiKey& key : keys) {
    writer.begin_object();
    writer.string("id", key.id);
    writer.string("name", key.name);
    writer.string("sha256", key.hash);
    writer.boolean("may_modify", key.may_modify);
    if (key.subaccount) writer.uint64("subaccount", *key.subaccount);
    writer.int64("created_ms", core::unix_ms(key.created));
    writer.end_object();
  }
  writer.end_array();
  text.push_back('\n');
  return text;
}

std::optional<ApiKey> read_key(const json::Value& value) {
  const auto text = [&](std::string_view name) {
    const json::Value* member = value.find(name);
    return member == nullptr ? nullptr : member->as_string();
  };
  const std::string* id = text("id");
  const std::string* name = text("name");
  const std::string* hash = text("sha256");
  const json::Value* may_modify = value.find("may_modify");
  const json::Value* subaccount = value.find("subaccount");
  const json::Value* created = value.find("created_ms");
  const bool is_whole = id != nullptr && name != nullptr && hash != nullptr &&
                        may_modify != nullptr && may_modify->as_bool() != nullptr &&
                        created != nullptr && created->as_int64() != nullptr &&
                        (subaccount == nullptr || subaccount->as_int64() != nullptr);
  if (!is_whole) return std::nullopt;
  ApiKey key{*id, *name, *hash, *may_modify->as_bool(), std::nullopt, {}};
  if (subaccount != nullptr) key.subaccount = static_cast<uint32_t>(*subaccount->as_int64());
  key.created = core::WallTime(std::chrono::milliseconds(*created->as_int64()));
  return key;
}

}  // namespace

ApiKeyFile::ApiKeyFile(journal::FileSystem& file_system, std::string directory,
                       journal::FileAccess access)
    : file_system_(file_system),
      directory_(std::move(directory)),
      path_(directory_ + "/api-keys.json"),
      access_(access) {}

Result<std::vector<ApiKey>> ApiKeyFile::read() const {
  auto file = file_system_.open(path_, journal::OpenMode::Read, access_);
  if (!file) {
    if (file.error().key == journal::kMissingKey) return std::vector<ApiKey>();
    return file.error();
  }
  std::string text(kFileSizeMax, '\0');
  auto size = (*file)->read_at(0, text.data(), text.size());
  if (!size) return size.error();
  text.resize(*size);
  const Result<> damaged{ErrorCode::BadFile, path_ + " does not hold API keys", "spool.dir"};
  const auto root = json::parse_value(text);
  if (!root || root->as_array() == nullptr) return damaged.error();
  std::vector<ApiKey> keys;
  for (const json::Value& value : *root->as_array()) {
    auto key = read_key(value);
    if (!key) return damaged.error();
    keys.push_back(std::move(*key));
  }
  return keys;
}

Result<std::string> ApiKeyFile::set_aside() {
  const std::string name = path_ + ".damaged";
  if (auto done = file_system_.rename(path_, name); !done) return done.error();
  return name;
}

Result<> ApiKeyFile::write(const std::vector<ApiKey>& keys) {
  const std::string text = keys_json(keys);
  if (text.size() > kFileSizeMax) {
    return {ErrorCode::TooLarge, "there are too many API keys", "name"};
  }
  const std::string fresh = path_ + ".new";
  // What an earlier try left.
  static_cast<void>(file_system_.remove(fresh).ok());
  auto file = file_system_.open(fresh, journal::OpenMode::Create, access_);
  if (!file) return file.error();
  if (auto done = (*file)->write_at(0, text); !done) return done;
  if (auto done = (*file)->sync(); !done) return done;
  if (auto done = file_system_.rename(fresh, path_); !done) return done;
  return file_system_.sync_directory(directory_);
}

}  // namespace posthaste::spool
