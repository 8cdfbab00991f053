// Reports as JSON, for posthaste_report_json. The names of the members are those of the getters.
#pragma once

#include <cstdint>
#include <string>

#include "core/time.h"
#include "engine/report.h"

namespace posthaste::capi {

std::string report_json(const engine::Report& report);

// As posthaste_report_timing_us gives it.
uint64_t timing_us(core::Duration length);

}  // namespace posthaste::capi
