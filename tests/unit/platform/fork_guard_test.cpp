#include "platform/fork_guard.h"

#include <catch2/catch.hpp>

#include "child_process.h"

using namespace posthaste::platform;

TEST_CASE("A child of fork has another generation than its parent, a grandchild yet another",
          "[platform][fork_guard]") {
  REQUIRE(install_fork_guard());
  REQUIRE(install_fork_guard());
  const uint32_t parent = fork_generation();
  const ChildEnd end = run_in_child([&] {
    const uint32_t child = fork_generation();
    if (child == parent) return 1;
    const ChildEnd grandchild = run_in_child(
        [&] { return fork_generation() != child && fork_generation() != parent ? 7 : 2; });
    return grandchild.status;
  });
  CHECK(end.status == 7);
  CHECK(fork_generation() == parent);
}
