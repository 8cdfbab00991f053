// X.509 by OpenSSL 3's EVP interface. Every OpenSSL object lives in a unique_ptr, every failure
// throws with OpenSSL's own reason.
#include "certificates.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>

namespace posthaste::testing {
namespace {

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using BioPtr = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using X509Ptr = std::unique_ptr<X509, Deleter<X509_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION_free>>;

void require(bool succeeded, const char* step) {
  if (succeeded) return;
  char reason[256];
  ERR_error_string_n(ERR_get_error(), reason, sizeof reason);
  throw std::runtime_error(std::string("certificate: ") + step + ": " + reason);
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size_bytes = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<size_t>(size_bytes));
}

BioPtr bio_of(const std::string& text) {
  BioPtr bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  require(bio != nullptr, "reading PEM");
  return bio;
}

// X509V3_EXT_nconf_nid takes the value in the syntax of openssl.cnf; `issuer` is only needed by key
// identifiers.
void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const ExtensionPtr extension(X509V3_EXT_nconf_nid(nullptr, &context, nid, value.c_str()));
  require(extension != nullptr, value.c_str());
  require(X509_add_ext(certificate, extension.get(), -1) == 1, value.c_str());
}

void set_random_serial(X509* certificate) {
  // Clients cache sessions and errors by issuer and serial, so two runs must not repeat one.
  uint64_t serial = 0;
  require(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) == 1, "serial");
  require(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1) == 1, "serial");
}

KeyPtr new_key() {
  KeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  require(key != nullptr, "key");
  return key;
}

X509Ptr new_certificate(const CertificateSubject& subject, EVP_PKEY* key) {
  X509Ptr certificate(X509_new());
  require(certificate != nullptr, "allocation");
  require(X509_set_version(certificate.get(), X509_VERSION_3) == 1, "version");
  set_random_serial(certificate.get());
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), subject.valid_from.count());
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), subject.valid_until.count());
  require(X509_set_pubkey(certificate.get(), key) == 1, "public key");
  const auto* name = reinterpret_cast<const unsigned char*>(subject.common_name.c_str());
  require(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8,
                                     name, -1, -1, 0) == 1,
          "common name");
  return certificate;
}

Certificate to_pem(X509* certificate, EVP_PKEY* key) {
  const BioPtr certificate_bio(BIO_new(BIO_s_mem()));
  const BioPtr key_bio(BIO_new(BIO_s_mem()));
  require(PEM_write_bio_X509(certificate_bio.get(), certificate) == 1, "writing certificate");
  require(PEM_write_bio_PrivateKey(key_bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1,
          "writing key");
  return {text_of(certificate_bio.get()), text_of(key_bio.get())};
}

std::string alternative_names(const CertificateSubject& subject) {
  std::string names;
  for (const std::string& name : subject.dns_names) names += ",DNS:" + name;
  for (const std::string& address : subject.ip_addresses) names += ",IP:" + address;
  return names.empty() ? names : names.substr(1);
}

Certificate make_signed(const Certificate& authority, const CertificateSubject& subject,
                        const char* purpose) {
  const X509Ptr issuer(
      PEM_read_bio_X509(bio_of(authority.certificate_pem).get(), nullptr, nullptr, nullptr));
  require(issuer != nullptr, "authority's certificate");
  const KeyPtr issuer_key(
      PEM_read_bio_PrivateKey(bio_of(authority.key_pem).get(), nullptr, nullptr, nullptr));
  require(issuer_key != nullptr, "authority's key");
  const KeyPtr key = new_key();
  const X509Ptr certificate = new_certificate(subject, key.get());
  require(X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer.get())) == 1,
          "issuer");
  add_extension(certificate.get(), issuer.get(), NID_basic_constraints, "critical,CA:FALSE");
  add_extension(certificate.get(), issuer.get(), NID_key_usage, "critical,digitalSignature");
  add_extension(certificate.get(), issuer.get(), NID_ext_key_usage, purpose);
  add_extension(certificate.get(), issuer.get(), NID_authority_key_identifier, "keyid");
  const std::string names = alternative_names(subject);
  if (!names.empty()) {
    add_extension(certificate.get(), issuer.get(), NID_subject_alt_name, names);
  }
  require(X509_sign(certificate.get(), issuer_key.get(), EVP_sha256()) > 0, "signing");
  return to_pem(certificate.get(), key.get());
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) throw std::runtime_error("certificate: cannot write " + path);
}

}  // namespace

Certificate make_authority(const std::string& common_name) {
  const KeyPtr key = new_key();
  CertificateSubject subject;
  subject.common_name = common_name;
  const X509Ptr certificate = new_certificate(subject, key.get());
  X509* self = certificate.get();
  require(X509_set_issuer_name(self, X509_get_subject_name(self)) == 1, "issuer");
  add_extension(self, self, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(self, self, NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(self, self, NID_subject_key_identifier, "hash");
  require(X509_sign(self, key.get(), EVP_sha256()) > 0, "signing");
  return to_pem(self, key.get());
}

Certificate make_server_certificate(const Certificate& authority,
                                    const CertificateSubject& subject) {
  return make_signed(authority, subject, "serverAuth");
}

Certificate make_expired_server_certificate(const Certificate& authority) {
  CertificateSubject subject;
  subject.valid_from = -std::chrono::hours(48);
  subject.valid_until = -std::chrono::hours(24);
  return make_signed(authority, subject, "serverAuth");
}

Certificate make_client_certificate(const Certificate& authority, const std::string& common_name) {
  CertificateSubject subject;
  subject.common_name = common_name;
  subject.dns_names.clear();
  subject.ip_addresses.clear();
  return make_signed(authority, subject, "clientAuth");
}

CertificateDirectory::CertificateDirectory() : authority_(make_authority("Posthaste Test CA")) {
  std::string pattern = (std::filesystem::temp_directory_path() / "posthaste-tls-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) {
    throw std::runtime_error("certificate: cannot make a folder like " + pattern);
  }
  path_ = pattern;
  write_pem(path_, "ca", {authority_.certificate_pem, ""});
}

CertificateDirectory::~CertificateDirectory() {
  std::error_code ignored;  // a folder that stays behind must not fail a test
  std::filesystem::remove_all(path_, ignored);
}

void CertificateDirectory::write(const std::string& name, const Certificate& certificate) const {
  write_pem(path_, name, certificate);
}

std::string CertificateDirectory::certificate_file(const std::string& name) const {
  return path_ + "/" + name + ".pem";
}

std::string CertificateDirectory::key_file(const std::string& name) const {
  return path_ + "/" + name + ".key";
}

void write_pem(const std::string& directory, const std::string& name,
               const Certificate& certificate) {
  write_file(directory + "/" + name + ".pem", certificate.certificate_pem);
  if (certificate.key_pem.empty()) return;
  const std::string key_path = directory + "/" + name + ".key";
  write_file(key_path, certificate.key_pem);
  if (chmod(key_path.c_str(), S_IRUSR | S_IWUSR) != 0) {
    throw std::runtime_error("certificate: cannot protect " + key_path);
  }
}

}  // namespace posthaste::testing
