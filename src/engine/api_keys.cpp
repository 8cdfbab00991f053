#include "engine/api_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "config/text_rules.h"
#include "core/limits.h"
#include "core/subaccount.h"
#include "core/uuid.h"
#include "transport/api_secret.h"

namespace posthaste::engine {
namespace {

using core::ErrorCode;
using core::Result;

constexpr size_t kNameMax = 64;
constexpr size_t kKeyMin = 20;
constexpr size_t kKeyMax = 256;

Result<> check_name(std::string_view name) {
  if (!name.empty() && name.size() <= kNameMax && config::is_plain_text(name)) return {};
  return {ErrorCode::BadValue,
          fmt::format("the name of an API key must be 1..{} bytes of UTF-8 without control "
                      "characters",
                      kNameMax),
          "name"};
}

Result<> check_subaccount(std::optional<uint32_t> subaccount) {
  if (!subaccount || *subaccount <= core::kSubaccountMax) return {};
  return {ErrorCode::BadValue, fmt::format("subaccount must be 0..{}", core::kSubaccountMax),
          "subaccount"};
}

// Says nothing of the key but that it is the same.
std::string id_of(const std::string& hash) {
  return core::uuid_of_name("API key " + hash);
}

}  // namespace

Result<> ApiKeys::load(spool::ApiKeyFile& file, std::vector<std::string>& remarks) {
  const std::lock_guard lock(mutex_);
  auto keys = file.read();
  if (keys) {
    keys_ = std::move(*keys);
  } else if (keys.code() == ErrorCode::BadFile) {
    auto name = file.set_aside();
    if (!name) return name.error();
    remarks.push_back(
        fmt::format("{}: it is kept as {}, and new keys are needed", keys.error().message, *name));
  } else {
    return keys.error();
  }
  file_ = &file;
  return {};
}

Result<ApiKeys::Made> ApiKeys::create(std::string_view name, bool may_modify,
                                      std::optional<uint32_t> subaccount, core::WallTime now) {
  auto key = transport::make_api_key();
  if (!key) return key.error();
  auto row = put(name, *key, may_modify, subaccount, now);
  if (!row) return row.error();
  return Made{std::move(*row), std::move(*key)};
}

Result<ApiKey> ApiKeys::put(std::string_view name, std::string_view key, bool may_modify,
                            std::optional<uint32_t> subaccount, core::WallTime now) {
  if (auto valid = check_name(name); !valid) return valid.error();
  if (auto valid = check_subaccount(subaccount); !valid) return valid.error();
  if (key.size() < kKeyMin || key.size() > kKeyMax || !config::is_bearer_token(key)) {
    return {ErrorCode::BadValue,
            fmt::format("an API key must be {}..{} characters of visible ASCII", kKeyMin, kKeyMax),
            "key"};
  }
  const std::string hash = transport::api_key_hash(key);
  if (hash.empty()) return {ErrorCode::NoMemory, "out of memory"};
  ApiKey row{id_of(hash), std::string(name), hash, may_modify, subaccount, now};
  const std::lock_guard lock(mutex_);
  std::vector<ApiKey> keys = keys_;
  const auto known =
      std::find_if(keys.begin(), keys.end(), [&](const ApiKey& each) { return each.id == row.id; });
  if (known == keys.end()) {
    if (keys.size() >= core::kApiKeysMax) {
      return {ErrorCode::TooLarge, fmt::format("{} API keys are enough", core::kApiKeysMax), "key"};
    }
    keys.push_back(row);
  } else {
    row.created = known->created;
    *known = row;
  }
  if (auto done = replace(std::move(keys)); !done) return done.error();
  return row;
}

Result<> ApiKeys::revoke(std::string_view id) {
  const std::lock_guard lock(mutex_);
  std::vector<ApiKey> keys = keys_;
  if (std::erase_if(keys, [&](const ApiKey& each) { return each.id == id; }) == 0) {
    return {ErrorCode::NotFound, "no API key with this id", "id"};
  }
  return replace(std::move(keys));
}

// The caller holds the lock.
Result<> ApiKeys::replace(std::vector<ApiKey> keys) {
  if (file_ != nullptr) {
    if (auto done = file_->write(keys); !done) return done;
  }
  keys_ = std::move(keys);
  return {};
}

std::vector<ApiKey> ApiKeys::list() const {
  const std::lock_guard lock(mutex_);
  return keys_;
}

std::optional<ApiKey> ApiKeys::find(std::string_view key) const {
  const std::string hash = transport::api_key_hash(key);
  const std::lock_guard lock(mutex_);
  const ApiKey* found = nullptr;
  for (const ApiKey& each : keys_) {
    if (transport::is_equal_hash(each.hash, hash)) found = &each;
  }
  return found == nullptr ? std::nullopt : std::optional<ApiKey>(*found);
}

}  // namespace posthaste::engine
