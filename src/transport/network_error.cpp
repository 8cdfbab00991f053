#include "transport/network_error.h"

#include <openssl/x509_vfy.h>

#include <cerrno>

namespace posthaste::transport {
namespace {

struct SystemErrorName {
  int error;
  const char* name;
  const char* summary;
};

constexpr SystemErrorName kSystemErrors[] = {
    {ECONNREFUSED, "ECONNREFUSED", "the connection was refused"},
    {ECONNRESET, "ECONNRESET", "the connection was reset"},
    {ECONNABORTED, "ECONNABORTED", "the connection was aborted"},
    {EPIPE, "EPIPE", "the connection was closed while sending"},
    {ETIMEDOUT, "ETIMEDOUT", "the connection timed out"},
    {EHOSTUNREACH, "EHOSTUNREACH", "no route to the host"},
    {ENETUNREACH, "ENETUNREACH", "the network is unreachable"},
    {ENETDOWN, "ENETDOWN", "the network is down"},
    {EADDRNOTAVAIL, "EADDRNOTAVAIL", "no local address or port is free"},
    {EAFNOSUPPORT, "EAFNOSUPPORT", "the address family is not supported"},
    {EACCES, "EACCES", "the connection is forbidden by this system"},
    {EPERM, "EPERM", "the connection is forbidden by this system"},
    {EMFILE, "EMFILE", "this process has too many open files"},
    {ENFILE, "ENFILE", "this system has too many open files"},
    {ENOBUFS, "ENOBUFS", "this system has no buffer space"},
    {ENOMEM, "ENOMEM", "out of memory"},
};

FailureName name_system_error(Phase phase, int error, FailureName otherwise) {
  for (const SystemErrorName& known : kSystemErrors) {
    if (known.error == error) return {phase, known.name, known.summary};
  }
  return otherwise;
}

// OpenSSL stops at the first error, Node.js reports the last. Where an issuer is unknown and only
// the leaf was sent, the first is UNABLE_TO_GET_ISSUER_CERT_LOCALLY and the last
// UNABLE_TO_VERIFY_LEAF_SIGNATURE.
FailureName name_certificate_failure(long verify_result) {
  switch (verify_result) {
    // libcurl checks the name itself, and leaves the result at the value it began with.
    case X509_V_OK:
    case X509_V_ERR_UNSPECIFIED:
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return {Phase::Tls, "ERR_TLS_CERT_ALTNAME_INVALID", "the certificate is for another host"};
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return {Phase::Tls, "CERT_HAS_EXPIRED", "the certificate has expired"};
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return {Phase::Tls, "CERT_NOT_YET_VALID", "the certificate is not valid yet"};
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return {Phase::Tls, "DEPTH_ZERO_SELF_SIGNED_CERT", "the certificate is self-signed"};
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return {Phase::Tls, "SELF_SIGNED_CERT_IN_CHAIN",
              "the certificate chain ends in an unknown self-signed one"};
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return {Phase::Tls, "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
              "the issuer of the certificate is unknown"};
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
      return {Phase::Tls, "UNABLE_TO_GET_ISSUER_CERT", "an issuer in the chain is unknown"};
    case X509_V_ERR_CERT_REVOKED:
      return {Phase::Tls, "CERT_REVOKED", "the certificate was revoked"};
    case X509_V_ERR_CERT_UNTRUSTED:
      return {Phase::Tls, "CERT_UNTRUSTED", "the certificate is not trusted for servers"};
    case X509_V_ERR_INVALID_PURPOSE:
      return {Phase::Tls, "INVALID_PURPOSE", "the certificate is not one for servers"};
    case X509_V_ERR_CERT_CHAIN_TOO_LONG:
      return {Phase::Tls, "CERT_CHAIN_TOO_LONG", "the certificate chain is too long"};
    default:
      return {Phase::Tls, "CERT_REJECTED", "the certificate was not accepted"};
  }
}

// The connection broke, or what came over it made no sense. libcurl has one code for both.
FailureName name_receive_failure(const Failure& failure) {
  // With TLS 1.3 the handshake is over for us before the peer has looked at our certificate.
  if (failure.is_alert) return {Phase::Tls, "EPROTO", "the receiver broke tls off"};
  const Phase phase = phase_of(failure.stage);
  const FailureName broken{phase, "ECONNRESET", "the connection broke"};
  if (failure.system_error != 0 || failure.stage != Stage::Connected) {
    return name_system_error(phase, failure.system_error, broken);
  }
  if (failure.is_https) return {phase, "EPROTO", "the tls connection broke"};
  if (failure.has_status) {
    return {phase, "HPE_INVALID_CHUNK_SIZE", "the answer's chunks are malformed"};
  }
  return broken;
}

}  // namespace

Phase phase_of(Stage stage) {
  switch (stage) {
    case Stage::Started:
    case Stage::Connecting:
      return Phase::Connect;
    case Stage::Resolving:
      return Phase::Dns;
    case Stage::Handshaking:
      return Phase::Tls;
    case Stage::Connected:
      return Phase::Http;
  }
  return Phase::Connect;
}

FailureName name_failure(const Failure& failure) {
  const Phase phase = phase_of(failure.stage);
  switch (failure.code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return {Phase::Dns, "ENOTFOUND", "the host name does not resolve"};
    case CURLE_COULDNT_CONNECT:
      return name_system_error(Phase::Connect, failure.system_error,
                               {Phase::Connect, "", "no connection"});
    case CURLE_PEER_FAILED_VERIFICATION:
      return name_certificate_failure(failure.tls_verify_result);
    case CURLE_SSL_CACERT_BADFILE:
      return {Phase::Tls, "UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "the CA file cannot be read"};
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_USE_SSL_FAILED:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_ISSUER_ERROR:
      return name_system_error(Phase::Tls, failure.system_error,
                               {Phase::Tls, "EPROTO", "the tls handshake failed"});
    case CURLE_SEND_ERROR:
      return name_system_error(phase, failure.system_error,
                               {phase, "ECONNRESET", "the connection was closed while sending"});
    case CURLE_RECV_ERROR:
      return name_receive_failure(failure);
    case CURLE_GOT_NOTHING:
      return {phase, "ECONNRESET", "the connection was closed without an answer"};
    case CURLE_PARTIAL_FILE:
      return {phase, "ECONNRESET", "the answer broke off"};
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
      if (failure.stage == Stage::Connected) {
        return {phase, "HPE_INVALID_CONSTANT", "the answer is not HTTP"};
      }
      return {Phase::Connect, "ERR_INVALID_PROTOCOL", "the scheme is not supported"};
    case CURLE_URL_MALFORMAT:
      return {Phase::Connect, "ERR_INVALID_URL", "the URL is malformed"};
    case CURLE_OUT_OF_MEMORY:
      return {phase, "ENOMEM", "out of memory"};
    default:
      return {phase, "", ""};
  }
}

}  // namespace posthaste::transport
