// Names for what can go wrong between us and a receiver: libcurl's codes in the words of Node.js,
// which users of the original know from its reports (spec/momentum.md section 7.1). Pure; called by
// Transfer when it ends.
#pragma once

#include <curl/curl.h>

#include "transport/transport.h"

namespace posthaste::transport {

// How far a transfer has come.
enum class Stage { Started, Resolving, Connecting, Handshaking, Connected };

// What is known of a transfer that libcurl ended with an error.
struct Failure {
  CURLcode code = CURLE_OK;
  int system_error = 0;        // errno of the failed call, 0 when there was none
  long tls_verify_result = 0;  // X509_V_*
  Stage stage = Stage::Started;
  bool is_https = false;
  bool has_status = false;  // a final status line arrived
  bool is_alert = false;    // the peer broke TLS off, and said so
};

struct FailureName {
  Phase phase = Phase::None;
  const char* network_name = "";  // ECONNREFUSED and the like; empty when there is no fitting one
  const char* summary = "";       // for people, lower case start
};

FailureName name_failure(const Failure& failure);

// The phase in which a transfer at this stage fails when nothing more is known.
Phase phase_of(Stage stage);

}  // namespace posthaste::transport
