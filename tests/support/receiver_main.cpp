// posthaste-receiver: the test receiver as a command, for demos, scripts and hosts under test. It
// prints where it listens, serves until SIGTERM or SIGINT, then prints what it counted.
#include <getopt.h>
#include <signal.h>

#include <charconv>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <mutex>
#include <stdexcept>

#include "receiver.h"
#include "receiver_print.h"

namespace {

using namespace posthaste::testing;

struct CommandLine {
  ReceiverOptions options;
  std::vector<Rule> rules;
  AcceptFault accept_fault = AcceptFault::None;
  bool tls = false;
  bool client_certificate = false;
  bool print = false;
  std::string certificates;  // folder
  std::string record_file;
  std::string port_file;
};

constexpr char kUsage[] =
    "usage: posthaste-receiver [option]...\n"
    "  --port N               listen on 127.0.0.1:N; 0, the default, lets the system choose\n"
    "  --ipv6                 listen on ::1 instead\n"
    "  --rule RULE            see below; may be given several times\n"
    "  --on-accept FAULT      none, never-read, close, reset or garbage, before anything is read\n"
    "  --tls                  serve https with a certificate for localhost made at the start\n"
    "  --certificates DIR     write ca.pem, server.pem, client.pem and the last two's keys there\n"
    "  --client-certificate   demand a client certificate of that authority\n"
    "  --print                print every request with headers and body\n"
    "  --record FILE          append every request as a line of JSON\n"
    "  --port-file FILE       write the port there once it is open\n"
    "  --count                keep no bodies, for high volume; no use with --print and --record\n"
    "  --help\n";

enum Option : int {
  kPort = 256,
  kIpv6,
  kRule,
  kOnAccept,
  kTls,
  kCertificates,
  kClientCertificate,
  kPrint,
  kRecord,
  kPortFile,
  kCount,
  kHelp,
};

constexpr option kOptions[] = {
    {"port", required_argument, nullptr, kPort},
    {"ipv6", no_argument, nullptr, kIpv6},
    {"rule", required_argument, nullptr, kRule},
    {"on-accept", required_argument, nullptr, kOnAccept},
    {"tls", no_argument, nullptr, kTls},
    {"certificates", required_argument, nullptr, kCertificates},
    {"client-certificate", no_argument, nullptr, kClientCertificate},
    {"print", no_argument, nullptr, kPrint},
    {"record", required_argument, nullptr, kRecord},
    {"port-file", required_argument, nullptr, kPortFile},
    {"count", no_argument, nullptr, kCount},
    {"help", no_argument, nullptr, kHelp},
    {nullptr, 0, nullptr, 0},
};

// Throws with the text for the user when a value is wrong.
void take_option(int name, const std::string& value, CommandLine& line) {
  switch (name) {
    case kPort: {
      const char* end = value.data() + value.size();
      const auto [stopped, problem] = std::from_chars(value.data(), end, line.options.port);
      if (problem != std::errc() || stopped != end) throw std::runtime_error("bad port " + value);
      break;
    }
    case kRule: {
      const auto rule = parse_rule(value);
      if (!rule) throw std::runtime_error(rule.error().message);
      line.rules.push_back(*rule);
      break;
    }
    case kOnAccept: {
      const auto fault = parse_accept_fault(value);
      if (!fault) throw std::runtime_error("unknown fault " + value);
      line.accept_fault = *fault;
      break;
    }
    case kIpv6:
      line.options.ipv6 = true;
      break;
    case kTls:
      line.tls = true;
      break;
    case kCertificates:
      line.certificates = value;
      break;
    case kClientCertificate:
      line.client_certificate = true;
      break;
    case kPrint:
      line.print = true;
      break;
    case kRecord:
      line.record_file = value;
      break;
    case kPortFile:
      line.port_file = value;
      break;
    case kCount:
      line.options.record_bodies = false;
      break;
    default:
      throw std::runtime_error("see --help");
  }
}

void set_up_tls(CommandLine& line) {
  if (!line.tls) {
    if (!line.certificates.empty() || line.client_certificate) {
      throw std::runtime_error("--certificates and --client-certificate need --tls");
    }
    return;
  }
  const Certificate authority = make_authority("Posthaste Receiver CA");
  ReceiverTls& tls = line.options.tls.emplace();
  tls.server = make_server_certificate(authority);
  tls.client_authority_pem = authority.certificate_pem;
  if (line.client_certificate) tls.client_certificates = ClientCertificates::Required;
  if (line.certificates.empty()) return;
  write_pem(line.certificates, "ca", {authority.certificate_pem, ""});
  write_pem(line.certificates, "server", tls.server);
  write_pem(line.certificates, "client", make_client_certificate(authority, "client"));
}

// Prints and records, one request at a time.
class RequestOutput {
 public:
  RequestOutput(bool print, const std::string& record_file) : print_(print) {
    if (record_file.empty()) return;
    record_.open(record_file, std::ios::app);
    if (!record_) throw std::runtime_error("cannot write " + record_file);
  }

  void take(const Request& request) {
    const std::lock_guard lock(mutex_);
    if (print_) std::cout << printed_request(request) << std::endl;
    if (record_.is_open()) record_ << recorded_line(request) << std::endl;
  }

 private:
  const bool print_;
  std::mutex mutex_;  // guards both streams
  std::ofstream record_;
};

int serve(CommandLine& line) {
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  sigaddset(&ending, SIGINT);
  // Blocked before the first line is printed: a script may send the signal as soon as it reads that
  // line.
  pthread_sigmask(SIG_BLOCK, &ending, nullptr);

  set_up_tls(line);
  RequestOutput output(line.print, line.record_file);
  line.options.records_max = 0;  // a command runs long, and nobody asks it for records
  line.options.on_request = [&output](const Request& request) { output.take(request); };
  Receiver receiver(line.options);
  receiver.set_rules(line.rules);
  receiver.set_accept_fault(line.accept_fault);
  std::cout << "listening " << receiver.address() << std::endl;
  if (!line.port_file.empty()) {
    std::ofstream file(line.port_file);
    file << receiver.port() << std::endl;
    if (!file) throw std::runtime_error("cannot write " + line.port_file);
  }

  int signal_number = 0;
  sigwait(&ending, &signal_number);
  receiver.stop();
  const Totals totals = receiver.log().totals();
  std::cout << "received " << totals.requests << " requests, " << totals.events << " events, "
            << totals.body_bytes << " bytes of bodies; accepted " << totals.accepted_requests
            << " requests, " << totals.accepted_events << " events" << std::endl;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    CommandLine line;
    int name = 0;
    while ((name = getopt_long(argc, argv, "", kOptions, nullptr)) != -1) {
      if (name == kHelp) {
        std::cout << kUsage << '\n' << rule_help();
        return 0;
      }
      take_option(name, optarg != nullptr ? optarg : "", line);
    }
    if (optind != argc) throw std::runtime_error(std::string("unknown argument ") + argv[optind]);
    return serve(line);
  } catch (const std::exception& failure) {
    std::cerr << "posthaste-receiver: " << failure.what() << '\n';
    return 2;
  }
}
