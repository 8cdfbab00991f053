// Tracking links in `serve`: what comes for them on the listener is answered, with the keys of the
// configuration, which may change while it runs.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cli/settings_list.h"
#include "core/result.h"
#include "posthaste/admin.h"
#include "posthaste/engagement.h"

namespace posthaste::cli {

// Purpose: the keys in use, and the listener's handler. Ownership: owns them; must outlive the
// listener. Threads: set and mount the main thread; the handler any of the listener's. Invariants:
// a request is answered with one set of keys from begin to end.
class TrackingLinks {
 public:
  // settings: keys and values as in posthaste/engagement.h; none: there are no links. What was
  // there stays when they fail. BadValue with an error that names the key.
  core::Result<> set(const SettingsList& settings);
  // The prefixes of paths that belong to links: the one of the url, and without the url's own path,
  // which a proxy may have taken off.
  std::vector<std::string> prefixes() const;
  core::Result<> mount(posthaste_admin_conf_t* conf);

 private:
  static int32_t answer(posthaste_t* ph, const posthaste_request_t* request, int32_t timeout_ms,
                        posthaste_response_t** out, void* self);

  std::string url_;  // empty: there are no links
  std::mutex mutex_;
  std::shared_ptr<posthaste_engagement_t> links_;  // guarded by mutex_
};

// What may be engagement.url. BadValue.
core::Result<std::string> parse_link_url(const std::string& text);

// The keys of a file for engagement.keys: one a line, empty lines and those that begin with #
// skipped. BadFile; names file and line, never a key.
core::Result<std::string> read_link_keys(const std::string& path);

}  // namespace posthaste::cli
