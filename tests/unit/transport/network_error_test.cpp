#include "transport/network_error.h"

#include <openssl/x509_vfy.h>

#include <catch2/catch.hpp>
#include <cerrno>

namespace posthaste::transport {
namespace {

struct Named {
  Failure failure;
  Phase phase;
  std::string network_name;
};

TEST_CASE("Failures get the names that Node.js has for them", "[transport][network_error]") {
  const Named named = GENERATE(
      Named{{CURLE_COULDNT_RESOLVE_HOST, 0, 0, Stage::Resolving}, Phase::Dns, "ENOTFOUND"},
      Named{{CURLE_COULDNT_CONNECT, ECONNREFUSED, 0, Stage::Connecting},
            Phase::Connect,
            "ECONNREFUSED"},
      Named{{CURLE_COULDNT_CONNECT, EHOSTUNREACH, 0, Stage::Connecting},
            Phase::Connect,
            "EHOSTUNREACH"},
      Named{{CURLE_COULDNT_CONNECT, ENETUNREACH, 0, Stage::Connecting},
            Phase::Connect,
            "ENETUNREACH"},
      Named{{CURLE_COULDNT_CONNECT, ETIMEDOUT, 0, Stage::Connecting}, Phase::Connect, "ETIMEDOUT"},
      Named{{CURLE_COULDNT_CONNECT, EMFILE, 0, Stage::Connecting}, Phase::Connect, "EMFILE"},
      Named{{CURLE_COULDNT_CONNECT, 0, 0, Stage::Connecting}, Phase::Connect, ""},
      Named{{CURLE_SSL_CONNECT_ERROR, 0, 0, Stage::Handshaking}, Phase::Tls, "EPROTO"},
      Named{{CURLE_SSL_CONNECT_ERROR, ECONNRESET, 0, Stage::Handshaking}, Phase::Tls, "ECONNRESET"},
      Named{{CURLE_SEND_ERROR, EPIPE, 0, Stage::Connected}, Phase::Http, "EPIPE"},
      Named{{CURLE_SEND_ERROR, 0, 0, Stage::Connected, true}, Phase::Http, "ECONNRESET"},
      Named{{CURLE_RECV_ERROR, ECONNRESET, 0, Stage::Connected}, Phase::Http, "ECONNRESET"},
      Named{{CURLE_RECV_ERROR, 0, 0, Stage::Connected, true}, Phase::Http, "EPROTO"},
      Named{{CURLE_RECV_ERROR, 0, 0, Stage::Connected, true, false, true}, Phase::Tls, "EPROTO"},
      Named{{CURLE_RECV_ERROR, 0, 0, Stage::Connected, false, true},
            Phase::Http,
            "HPE_INVALID_CHUNK_SIZE"},
      Named{{CURLE_GOT_NOTHING, 0, 0, Stage::Connected}, Phase::Http, "ECONNRESET"},
      Named{{CURLE_PARTIAL_FILE, 0, 0, Stage::Connected, false, true}, Phase::Http, "ECONNRESET"},
      Named{{CURLE_UNSUPPORTED_PROTOCOL, 0, 0, Stage::Connected},
            Phase::Http,
            "HPE_INVALID_CONSTANT"},
      Named{
          {CURLE_WEIRD_SERVER_REPLY, 0, 0, Stage::Connected}, Phase::Http, "HPE_INVALID_CONSTANT"},
      Named{{CURLE_UNSUPPORTED_PROTOCOL, 0, 0, Stage::Started},
            Phase::Connect,
            "ERR_INVALID_PROTOCOL"},
      Named{{CURLE_OUT_OF_MEMORY, 0, 0, Stage::Resolving}, Phase::Dns, "ENOMEM"},
      Named{{CURLE_FAILED_INIT, 0, 0, Stage::Handshaking}, Phase::Tls, ""});
  const FailureName name = name_failure(named.failure);
  CAPTURE(named.failure.code, named.failure.system_error);
  CHECK(name.phase == named.phase);
  CHECK(name.network_name == named.network_name);
}

TEST_CASE("Certificates that do not hold are named by the reason", "[transport][network_error]") {
  const auto [result, network_name] = GENERATE(table<long, std::string>({
      {X509_V_OK, "ERR_TLS_CERT_ALTNAME_INVALID"},
      {X509_V_ERR_UNSPECIFIED, "ERR_TLS_CERT_ALTNAME_INVALID"},
      {X509_V_ERR_HOSTNAME_MISMATCH, "ERR_TLS_CERT_ALTNAME_INVALID"},
      {X509_V_ERR_CERT_HAS_EXPIRED, "CERT_HAS_EXPIRED"},
      {X509_V_ERR_CERT_NOT_YET_VALID, "CERT_NOT_YET_VALID"},
      {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "DEPTH_ZERO_SELF_SIGNED_CERT"},
      {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "SELF_SIGNED_CERT_IN_CHAIN"},
      {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "UNABLE_TO_VERIFY_LEAF_SIGNATURE"},
      {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, "UNABLE_TO_VERIFY_LEAF_SIGNATURE"},
      {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, "UNABLE_TO_GET_ISSUER_CERT"},
      {X509_V_ERR_INVALID_CA, "CERT_REJECTED"},
  }));
  const FailureName name =
      name_failure({CURLE_PEER_FAILED_VERIFICATION, 0, result, Stage::Handshaking, true, false});
  CHECK(name.phase == Phase::Tls);
  CHECK(name.network_name == network_name);
}

}  // namespace
}  // namespace posthaste::transport
