// The host that is tortured: a mail server as the library sees it, in a process of its own. It
// pushes events, changes webhooks and writes the ledger: what it is about to push, and, when
// posthaste_sync said so, what it is owed. It knows the library by its public header only.
#pragma once

#include <posthaste/posthaste.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "simulation/chance.h"

namespace posthaste::torture {

enum class HostMode {
  Run,      // works until it is killed, or for as long as it may
  Recover,  // starts and pushes nothing, until it is killed
  Drain     // resumes everything, and waits for the end of its input
};

// What a host does that was not killed meanwhile.
enum class HostEnding {
  Close,  // in good order; it polls all reports
  Kill    // itself
};

struct HostOptions {
  std::string directory;  // of the spool
  std::string port;       // of the receiver
  std::string ledger;     // file
  uint64_t cycle = 0;     // no two hosts have the same
  uint64_t seed = 0;
  uint64_t work_ms = 0;
  HostMode mode = HostMode::Run;
  HostEnding ending = HostEnding::Close;
};

// Purpose: one life of the host. Ownership: owns the engine and the ledger's descriptor. Threads:
// one. Invariants: a line of the ledger is written before what it announces, and after what it
// promises; a kill between two calls leaves whole lines.
class Host {
 public:
  explicit Host(const HostOptions& options);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  // Returns when the engine was closed in good order; leaves the process otherwise.
  void live();

 private:
  struct Hook {
    std::string id;
    uint64_t incarnation = 0;  // of the id, when the webhook was put
    uint64_t revision = 0;     // of its target
    uint32_t types = 0;        // bits, by kTypes
    bool is_active = true;
    bool is_paused = false;
    uint64_t events_max = 0;  // 0: the engine's

    // The path of its target, by which the receiver knows whose batch it gets.
    std::string key() const;
  };

  void open();
  posthaste_conf_t* settings();
  void learn_webhooks();
  void work();
  void idle();
  void drain();
  void push_some(uint64_t count, uint32_t types);
  void push_one(uint64_t number, uint32_t type, const std::string& payload);
  void sync();
  void change_something();
  void put(const Hook& hook);
  void put_new();
  void edit(Hook& hook);
  void remove(size_t index);
  void set_paused(Hook& hook, bool is_paused);
  void replay();
  void take_reports();
  void write(const std::string& lines);
  // Ends the process when a call did not do what it must.
  void must(int32_t code, const char* what);
  [[noreturn]] void give_up(const std::string& what);

  const HostOptions options_;
  simulation::Chance chance_;
  posthaste_error_t* const error_;
  posthaste_t* engine_ = nullptr;
  int ledger_ = -1;
  bool pushes_large_ = false;  // some events are larger than a file of the journal
  std::vector<Hook> hooks_;
  std::map<std::pair<std::string, int32_t>, uint64_t> drops_;  // events, by webhook and reason
  uint64_t last_number_ = 0;                                   // of the event pushed last
  uint64_t last_incarnation_ = 0;
};

}  // namespace posthaste::torture
