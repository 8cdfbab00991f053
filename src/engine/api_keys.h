// Who may use the REST API: the keys of one engine. The handler asks it with each request; commands
// and the C API change it.
#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "spool/api_key_file.h"

namespace posthaste::engine {

using spool::ApiKey;

// Purpose: the list of keys. Ownership: refers to the file, which outlives it; without one keys
// last as long as the engine. Threads: any. Invariants: no key is kept, only its hash; what a
// change returned from is on disk.
class ApiKeys {
 public:
  // What the spool kept. A file that holds no keys is set aside, with a remark: mail events must
  // not wait for it.
  core::Result<> load(spool::ApiKeyFile& file, std::vector<std::string>& remarks);

  struct Made {
    ApiKey row;
    std::string key;  // shown this once
  };
  core::Result<Made> create(std::string_view name, bool may_modify,
                            std::optional<uint32_t> subaccount, core::WallTime now);
  // A key that somebody else made. The same key again changes what may be done with it.
  core::Result<ApiKey> put(std::string_view name, std::string_view key, bool may_modify,
                           std::optional<uint32_t> subaccount, core::WallTime now);
  core::Result<> revoke(std::string_view id);
  // In the order of their making.
  std::vector<ApiKey> list() const;
  // Looks at every key, so that the time tells nothing.
  std::optional<ApiKey> find(std::string_view key) const;

 private:
  core::Result<> replace(std::vector<ApiKey> keys);

  mutable std::mutex mutex_;
  std::vector<ApiKey> keys_;
  spool::ApiKeyFile* file_ = nullptr;
};

}  // namespace posthaste::engine
