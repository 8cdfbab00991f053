// Certificates for tests and for the receiver's --tls: an authority, server and client certificates
// made at run time with EC P-256 keys, so that no key lies in the tree and none expires. They are
// for loopback only: nothing here protects a key.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace posthaste::testing {

// A certificate with its private key, both as PEM text. A plain value; copies are independent.
struct Certificate {
  std::string certificate_pem;
  std::string key_pem;
};

// What a certificate states. The times are relative to now, so an expired one has a negative
// `valid_until`.
struct CertificateSubject {
  std::string common_name = "localhost";
  std::vector<std::string> dns_names = {"localhost"};
  std::vector<std::string> ip_addresses = {"127.0.0.1", "::1"};
  std::chrono::seconds valid_from = -std::chrono::hours(24);
  std::chrono::seconds valid_until = std::chrono::hours(24);
};

// All four throw std::runtime_error when OpenSSL refuses, for example an address that is none.
Certificate make_authority(const std::string& common_name);
Certificate make_server_certificate(const Certificate& authority,
                                    const CertificateSubject& subject = {});
Certificate make_expired_server_certificate(const Certificate& authority);
Certificate make_client_certificate(const Certificate& authority, const std::string& common_name);

// A fresh temporary folder with an authority's certificate in it, for programs that read PEM files.
//
// Owns the folder and removes it with everything in it when destroyed. Threads: one at a time.
class CertificateDirectory {
 public:
  CertificateDirectory();
  ~CertificateDirectory();
  CertificateDirectory(const CertificateDirectory&) = delete;
  CertificateDirectory& operator=(const CertificateDirectory&) = delete;

  const Certificate& authority() const { return authority_; }
  const std::string& path() const { return path_; }
  std::string ca_file() const { return path_ + "/ca.pem"; }

  // Writes <name>.pem and <name>.key; certificate_file() and key_file() tell their paths.
  void write(const std::string& name, const Certificate& certificate) const;
  std::string certificate_file(const std::string& name) const;
  std::string key_file(const std::string& name) const;

 private:
  std::string path_;
  Certificate authority_;
};

// Writes <directory>/<name>.pem and, when there is a key, <directory>/<name>.key (mode 0600).
void write_pem(const std::string& directory, const std::string& name,
               const Certificate& certificate);

}  // namespace posthaste::testing
