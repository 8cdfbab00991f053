// Times of the REST API in a time zone of the caller's choice (the query parameter `timezone`), by
// the system's zone database. The process's own TZ is never touched.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/time.h"

namespace date {
class time_zone;
}

namespace posthaste::api {

// Purpose: one zone. Ownership: refers to the database, which lives as long as the process.
// Threads: any.
class TimeZone {
 public:
  // A name of the database, such as "America/New_York" or "UTC"; nothing for another name, or when
  // there is no database.
  static std::optional<TimeZone> find(std::string_view name);

  // `YYYY-MM-DD HH:MM:SS`, local.
  std::string format(core::WallTime time) const;

 private:
  explicit TimeZone(const date::time_zone* zone) : zone_(zone) {}
  const date::time_zone* zone_;  // null: UTC
};

}  // namespace posthaste::api
