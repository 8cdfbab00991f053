// Seeds for core::Random and for ids. Not for secrets.
#pragma once

#include <cstdint>

namespace posthaste::platform {

// 64 bits from getrandom. Where the kernel refuses it (a sandbox, early boot) they are mixed from
// both clocks, the process and thread ids, the address of the stack and a count of calls: still
// different in every process and call. Never blocks, never fails. Threads: any.
uint64_t random_seed();

}  // namespace posthaste::platform
