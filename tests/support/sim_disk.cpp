#include "support/sim_disk.h"

#include <algorithm>
#include <cerrno>

namespace posthaste::test {

SimDisk::SimDisk(uint64_t seed) : files_(seed), random_(seed + 1) {
  files_.before_step = [this](FaultStep step, const std::string& path) {
    before_file_step(step, path);
  };
  vfs_.set_hook([this](const DiskAccess& access) { return before_database_access(access); });
}

SimDisk::~SimDisk() = default;

spool::SpoolOptions SimDisk::options_for(const core::EngineSettings& settings) const {
  spool::SpoolOptions options = spool::spool_options(settings);
  options.directory = directory();
  options.vfs = vfs_.name();
  return options;
}

void SimDisk::set_space(uint64_t size_bytes) {
  space_bytes_ = size_bytes;
  files_.set_space(space_bytes_ - std::min(space_bytes_, database_bytes()));
}

uint64_t SimDisk::database_bytes() const {
  uint64_t size = 0;
  for (const auto& [path, bytes] : database_sizes_) size += bytes;
  return size;
}

uint64_t SimDisk::used_bytes() {
  const auto free = files_.free_bytes(directory());
  return space_bytes_ - (free ? *free : 0);
}

void SimDisk::heal() {
  faults_ = {};
  set_space(kEndless);
}

bool SimDisk::has_faults() const {
  return space_bytes_ != kEndless ||
         faults_.write_fails + faults_.sync_fails + faults_.names_fail > 0;
}

void SimDisk::stop() {
  is_stopped_ = true;
  vfs_.freeze();
}

void SimDisk::restart(bool loses_power) {
  if (loses_power) {
    files_.power_cut();
    vfs_.thaw_after_power_cut(random_);
  } else {
    vfs_.thaw();
  }
  go_on();
  is_stopped_ = false;
  // They are measured again when they are written.
  database_sizes_.clear();
  set_space(space_bytes_);
}

void SimDisk::count_step() {
  ++steps_count_;
  if (steps_left_ == std::numeric_limits<uint64_t>::max()) return;
  if (steps_left_ == 0) {
    stop();
  } else {
    --steps_left_;
  }
}

void SimDisk::before_file_step(FaultStep step, const std::string& /*path*/) {
  if (!is_stopped_) count_step();
  if (is_stopped_) throw SimCrash();
  files_.clear_faults();
  if (!faults_.hits_journal) return;
  const bool is_write = step == FaultStep::Write || step == FaultStep::Allocate;
  const bool is_sync = step == FaultStep::Sync || step == FaultStep::SyncDirectory;
  if (is_write && happens(faults_.write_fails)) {
    ++counts_.failed_writes;
  } else if (is_sync && happens(faults_.sync_fails)) {
    ++counts_.failed_syncs;
  } else if (!is_write && !is_sync && happens(faults_.names_fail)) {
    ++counts_.failed_names;
  } else {
    return;
  }
  files_.fail(step, EIO);
}

DiskFault SimDisk::before_database_access(const DiskAccess& access) {
  if (access.kind == DiskAccess::Kind::Read) return DiskFault::None;
  count_step();
  if (is_stopped_) return DiskFault::IoError;
  uint64_t& size = database_sizes_[access.path];
  if (access.kind == DiskAccess::Kind::Sync) {
    if (!faults_.hits_database || !happens(faults_.sync_fails)) return DiskFault::None;
    ++counts_.failed_syncs;
    return DiskFault::IoError;
  }
  if (access.kind == DiskAccess::Kind::Truncate) {
    size = static_cast<uint64_t>(access.offset);
    set_space(space_bytes_);
    return DiskFault::None;
  }
  if (faults_.hits_database && happens(faults_.write_fails)) {
    const bool is_torn = random_.below(2) == 0;
    ++(is_torn ? counts_.torn_writes : counts_.failed_writes);
    return is_torn ? DiskFault::TornWrite : DiskFault::IoError;
  }
  const uint64_t end = static_cast<uint64_t>(access.offset) + static_cast<uint64_t>(access.size);
  if (end <= size) return DiskFault::None;
  if (const auto free = files_.free_bytes(directory()); free && end - size > *free) {
    ++counts_.full;
    return DiskFault::NoSpace;
  }
  size = end;
  set_space(space_bytes_);
  return DiskFault::None;
}

}  // namespace posthaste::test
