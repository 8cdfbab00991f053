#include "admin/lane.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <future>
#include <memory>
#include <thread>

#include "admin/exchange.h"

using namespace posthaste;
using admin::Exchange;
using admin::Lane;

TEST_CASE("A lane takes what its threads and its queue have room for, however late threads wake",
          "[admin][lane]") {
  std::promise<void> gate;
  const std::shared_future<void> open = gate.get_future().share();
  std::atomic<int> done{0};
  Lane lane("posthaste-test", 2, 3, [&](const std::shared_ptr<Exchange>&) {
    open.wait();
    ++done;
  });
  REQUIRE(lane.start());
  for (int i = 0; i < 5; ++i) CHECK(lane.submit(std::make_shared<Exchange>()));
  CHECK_FALSE(lane.submit(std::make_shared<Exchange>()));
  gate.set_value();
  while (done < 5) std::this_thread::yield();
  lane.stop();
  CHECK_FALSE(lane.submit(std::make_shared<Exchange>()));
}
