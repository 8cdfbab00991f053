// The Transport that talks to the network: one libcurl multi handle, any number of concurrent
// POSTs. Made by the composition root after CurlLibrary::acquire(). It does not follow redirects,
// retry answers, or look into bodies; libcurl's only retry is that of a kept connection which the
// receiver closed before it answered anything.
#pragma once

#include <cstdint>
#include <memory>

#include "core/result.h"
#include "platform/clock.h"
#include "transport/transport.h"

namespace posthaste::transport {

struct CurlTransportOptions {
  // Bound of the pool of kept connections. How many run at a time is the caller's business.
  uint32_t connections_max = 256;
};

// The clock must outlive the transport. Fails with NoMemory.
core::Result<std::unique_ptr<Transport>> make_curl_transport(
    const platform::Clock& clock, const CurlTransportOptions& options = {});

}  // namespace posthaste::transport
