// The composition root: an engine with the system's clocks, libcurl and the memory store.
#pragma once

#include <memory>

#include "config/conf.h"
#include "engine/engine.h"

namespace posthaste::engine {

// BadValue when two settings do not fit each other. Starts nothing and opens nothing.
core::Result<std::unique_ptr<Engine>> assemble(const config::Conf& conf);

}  // namespace posthaste::engine
