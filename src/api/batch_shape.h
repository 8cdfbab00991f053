// Batches as the REST API and the C API show them: status of the last 24 hours, waiting batches,
// dead letters; and the keys of a filter that chooses among them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "engine/engine.h"
#include "json/writer.h"
#include "spool/store.h"

namespace posthaste::api {

// An array, in the shape of the original's batch status (spec/momentum.md, section 7.7).
std::string status_json(const std::vector<spool::AttemptRecord>& attempts);

void write_batch(json::Writer& writer, const engine::WaitingBatch& batch);
void write_batch(json::Writer& writer, const spool::DeadLetter& letter);

// webhook_id, batch_id, from_ms, before_ms, status; nothing clears a key. UnknownKey, BadValue.
core::Result<> set_filter_key(spool::DeadLetterFilter& filter, std::string_view key,
                              std::optional<std::string_view> value);

}  // namespace posthaste::api
