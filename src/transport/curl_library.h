// Process-wide initialisation of libcurl. The composition root calls acquire() before it makes a
// CurlTransport; nothing else in the library initialises libcurl, and nothing ever cleans it up,
// since the host may use it too.
#pragma once

#include "core/result.h"

namespace posthaste::transport {

// Purpose: makes libcurl usable and checks that it is one we can work with. Threads: any, any
// number of times; the first call does the work, later ones repeat its answer.
class CurlLibrary {
 public:
  // Fails with TlsBackend when libcurl's TLS is not OpenSSL, Unsupported when it lacks what the
  // transport needs, System when it cannot be initialised. A failed initialisation is tried again
  // by the next call.
  static core::Result<> acquire();
  // For the log and for bug reports: "libcurl/7.88.1 OpenSSL/3.0.15 ...". Lives as long as the
  // process.
  static const char* version_text();
};

}  // namespace posthaste::transport
