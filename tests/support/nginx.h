// A real web server in front of the test receiver: nginx with one TLS server that passes requests
// on. For what a receiver of our own would only imitate: its TLS, its client certificates, its
// limit of 1 MiB for a body.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "certificates.h"
#include "temporary_directory.h"

namespace posthaste::testing {

struct NginxOptions {
  Certificate server = {};
  std::string client_authority_pem = {};  // who must have signed clients; empty: nobody is asked
  uint16_t upstream_port = 0;             // on loopback, plain HTTP
};

// Purpose: one nginx process. Requests get the header X-Client-Name on their way, the subject of
// the client's certificate. Ownership: owns the process and its directory. Threads: one at a time.
// Invariants: it accepts connections from the end of the constructor to the destructor.
class Nginx {
 public:
  // Throws std::runtime_error, with nginx's own words, when it does not come up.
  explicit Nginx(const NginxOptions& options);
  ~Nginx();
  Nginx(const Nginx&) = delete;
  Nginx& operator=(const Nginx&) = delete;

  std::string url(const std::string& target = "/") const;

 private:
  void write_configuration(const NginxOptions& options) const;
  void start();
  bool is_listening() const;

  TemporaryDirectory directory_;
  uint16_t port_ = 0;
  pid_t process_ = -1;
};

}  // namespace posthaste::testing
