// What producers in other processes wrote comes into the spool: once, over crashes at any place,
// and their files are used again.
#include <catch2/catch.hpp>
#include <cerrno>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "journal/posix_file_system.h"
#include "journal/producer_writer.h"
#include "spool/producer_intake.h"
#include "spool/spool.h"
#include "support/fault_file_system.h"
#include "support/temporary_directory.h"

using namespace posthaste;
using namespace posthaste::spool;
using core::ErrorCode;
using posthaste::testing::TemporaryDirectory;

namespace {

using Records = std::vector<std::string>;

uint64_t next_random() {
  static uint64_t number = 1000;
  return ++number;
}

journal::PosixFileSystem& files() {
  static journal::PosixFileSystem file_system;
  return file_system;
}

// Some process that pushes.
class Producer {
 public:
  explicit Producer(const TemporaryDirectory& directory)
      : writer_(files(), {directory.path(), {}, 64u << 20, std::chrono::milliseconds(2)},
                &next_random) {}

  void push(std::string_view record, std::string_view type = "delivery") {
    REQUIRE(
        writer_.append(type, record.size(), [&](char* out) { record.copy(out, record.size()); }));
  }
  void sync() { REQUIRE(writer_.sync()); }

 private:
  journal::ProducerWriter writer_;
};

// The deliverer, up to where it hands records on.
class Deliverer {
 public:
  explicit Deliverer(const TemporaryDirectory& directory) {
    SpoolOptions options;
    options.directory = directory.path();
    options.file_bytes = 64u << 10;
    auto spool = Spool::open(files(), options, &next_random, core::WallTime(), remarks_);
    REQUIRE(spool);
    spool_ = std::move(*spool);
    REQUIRE(spool_->define_types(catalogue_));
  }

  Records recover() {
    Records records;
    for (;;) {
      auto found = spool_->next_recovered({});
      REQUIRE(found);
      if (!*found) return records;
      take(**found, records);
    }
  }
  Records copy() {
    REQUIRE(spool_->look_for_produced());
    Records records;
    for (;;) {
      auto found = spool_->next_produced({});
      REQUIRE(found);
      if (!*found) return records;
      take(**found, records);
    }
  }
  void hand_on() {
    REQUIRE(spool_->sync_journal());
    REQUIRE(spool_->mark_copied());
  }
  // Everything was routed, and the cursor says so: the journal may forget it.
  void forget() {
    spool_->store().set_low(spool_->end());
    REQUIRE(spool_->commit());
    spool_->set_low_written(spool_->end());
  }
  std::vector<std::string> remarks() { return spool_->take_remarks(); }
  const std::vector<core::EventTypeId>& types() const { return types_; }
  const core::EventCatalogue& catalogue() const { return catalogue_; }

 private:
  void take(const Spool::Recovered& found, Records& records) {
    for (uint32_t i = 0; i < found.run.count; ++i) {
      const core::RecordEntry& entry = found.block->entry(i);
      records.emplace_back(found.block->bytes() + entry.offset, entry.size);
      types_.push_back(entry.type);
    }
    found.block->release();
  }

  core::EventCatalogue catalogue_;
  std::vector<std::string> remarks_;
  std::vector<core::EventTypeId> types_;
  std::unique_ptr<Spool> spool_;
};

journal::ProducerHeader header_of(const TemporaryDirectory& directory) {
  auto file = journal::ProducerFile::open(files(), directory.path(), 0,
                                          journal::ProducerFile::Mode::Existing, {});
  REQUIRE(file);
  auto header = (*file)->header();
  REQUIRE(header);
  REQUIRE(*header);
  return **header;
}

void damage(const TemporaryDirectory& directory, uint64_t offset) {
  auto file = files().open(directory.path("producer-00"), journal::OpenMode::Write, {});
  REQUIRE(file);
  REQUIRE((*file)->write_at(offset, "damage"));
}

}  // namespace

TEST_CASE("Records of producers come into the journal in their order and with their types",
          "[spool][producer_intake]") {
  const TemporaryDirectory directory;
  Producer producer(directory);
  producer.push("one,");
  producer.push("two,", "bounce");
  Deliverer deliverer(directory);
  CHECK(deliverer.recover().empty());
  CHECK(deliverer.copy() == Records{"one,", "two,"});
  CHECK(deliverer.catalogue().name(deliverer.types()[0]) == "delivery");
  CHECK(deliverer.catalogue().name(deliverer.types()[1]) == "bounce");
  CHECK(deliverer.copy().empty());
  producer.push("three,");
  CHECK(deliverer.copy() == Records{"three,"});
  CHECK(deliverer.remarks().empty());
}

TEST_CASE("A copy is made once when the deliverer dies before the file knows of it",
          "[spool][producer_intake]") {
  const TemporaryDirectory directory;
  Producer producer(directory);
  producer.push("one,");
  producer.push("two,");
  {
    Deliverer dies(directory);
    dies.recover();
    CHECK(dies.copy().size() == 2);
  }
  producer.push("three,");
  Deliverer deliverer(directory);
  CHECK(deliverer.recover() == Records{"one,", "two,"});
  CHECK(deliverer.copy() == Records{"three,"});
}

TEST_CASE("A copy is made once when the journal has forgotten it", "[spool][producer_intake]") {
  const TemporaryDirectory directory;
  Producer producer(directory);
  producer.push("one,");
  {
    Deliverer dies(directory);
    dies.recover();
    CHECK(dies.copy().size() == 1);
    dies.hand_on();
    dies.forget();
  }
  producer.push("two,");
  Deliverer deliverer(directory);
  CHECK(deliverer.recover().empty());
  CHECK(deliverer.copy() == Records{"two,"});
}

TEST_CASE("A copy that only the journal knew is not made again once that forgets it",
          "[spool][producer_intake]") {
  const TemporaryDirectory directory;
  Producer producer(directory);
  producer.push("one,");
  {
    Deliverer dies(directory);
    dies.recover();
    CHECK(dies.copy().size() == 1);
  }
  {
    Deliverer dies(directory);
    CHECK(dies.recover().size() == 1);
    dies.forget();
  }
  Deliverer deliverer(directory);
  CHECK(deliverer.recover().empty());
  CHECK(deliverer.copy().empty());
}

TEST_CASE("A producer file is used again once its copies are synced, not before",
          "[spool][producer_intake]") {
  const TemporaryDirectory directory;
  Producer producer(directory);
  producer.push("one,");
  const journal::ProducerHeader first = header_of(directory);
  Deliverer deliverer(directory);
  deliverer.recover();
  CHECK(deliverer.copy().size() == 1);
  CHECK(deliverer.copy().empty());
  CHECK(header_of(directory) == first);
  deliverer.hand_on();
  CHECK(deliverer.copy().empty());
  const journal::ProducerHeader second = header_of(directory);
  CHECK(second.use == first.use + 1);
  CHECK(second.salt != first.salt);
  CHECK(second.committed_end == journal::kProducerFramesOffset);
  producer.push("two,");
  CHECK(deliverer.copy() == Records{"two,"});
}

TEST_CASE("A producer file that is used again is told from its earlier uses after a crash",
          "[spool][producer_intake]") {
  const TemporaryDirectory directory;
  Producer producer(directory);
  producer.push("one, which is longer than the next,");
  {
    Deliverer dies(directory);
    dies.recover();
    CHECK(dies.copy().size() == 1);
    dies.hand_on();
    CHECK(dies.copy().empty());
    producer.push("two,");
  }
  Deliverer deliverer(directory);
  CHECK(deliverer.recover().size() == 1);
  CHECK(deliverer.copy() == Records{"two,"});
}

TEST_CASE("A producer file that somebody holds is read, and used again when it is free",
          "[spool][producer_intake]") {
  const TemporaryDirectory directory;
  Producer producer(directory);
  producer.push("one,");
  const auto held = journal::ProducerFile::open(files(), directory.path(), 0,
                                                journal::ProducerFile::Mode::Existing, {});
  REQUIRE(held);
  REQUIRE((*held)->try_lock());
  Deliverer deliverer(directory);
  deliverer.recover();
  CHECK(deliverer.copy().size() == 1);
  deliverer.hand_on();
  deliverer.copy();
  CHECK(header_of(directory).committed_end > journal::kProducerFramesOffset);
  (*held)->unlock();
  deliverer.copy();
  CHECK(header_of(directory).committed_end == journal::kProducerFramesOffset);
}

TEST_CASE("A bad frame of a producer that was not synced is a torn tail, and passed over quietly",
          "[spool][producer_intake]") {
  const TemporaryDirectory directory;
  Producer producer(directory);
  producer.push("one,");
  const uint64_t second = header_of(directory).committed_end;
  producer.push("two,");
  producer.push("three,");
  damage(directory, second + journal::kFrameHeaderSize);
  Deliverer deliverer(directory);
  deliverer.recover();
  CHECK(deliverer.copy() == Records{"one,", "three,"});
  CHECK(deliverer.remarks().empty());
}

TEST_CASE("A bad frame of a producer that was synced is damage, and remarked",
          "[spool][producer_intake]") {
  const TemporaryDirectory directory;
  Producer producer(directory);
  producer.push("one,");
  producer.push("two,");
  producer.sync();
  damage(directory, journal::kProducerFramesOffset);
  Deliverer deliverer(directory);
  deliverer.recover();
  CHECK(deliverer.copy() == Records{"two,"});
  const auto remarks = deliverer.remarks();
  REQUIRE(remarks.size() == 1);
  CHECK(remarks[0].find("producer-00") != std::string::npos);
}

TEST_CASE("A producer file with a damaged header is set aside, and remarked",
          "[spool][producer_intake]") {
  const TemporaryDirectory directory;
  Producer(directory).push("one,");
  damage(directory, 20);
  Deliverer deliverer(directory);
  deliverer.recover();
  CHECK(deliverer.copy().empty());
  CHECK(deliverer.remarks().size() == 1);
  CHECK_FALSE(std::filesystem::exists(directory.path("producer-00")));
  Producer(directory).push("two,");
  CHECK(deliverer.copy() == Records{"two,"});
}

TEST_CASE("A copy names the file and the offset that it was made from",
          "[spool][producer_intake]") {
  const TemporaryDirectory directory;
  Producer producer(directory);
  producer.push("one,");
  const uint64_t second = header_of(directory).committed_end;
  producer.push("two,");
  const journal::ProducerHeader header = header_of(directory);
  ProducerIntake intake(files(), {directory.path(), true}, &next_random);
  REQUIRE(intake.skip_recovered());
  for (const uint64_t offset : {journal::kProducerFramesOffset, second}) {
    const auto frame = intake.next();
    REQUIRE(frame);
    CHECK(frame->source == journal::source_of(header, offset));
    intake.take();
  }
  CHECK_FALSE(intake.next());
}

TEST_CASE("What is copied was synced in its own file before, if need be written once more",
          "[spool][producer_intake]") {
  size_t copied_count = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    test::FaultFileSystem disk(seed);
    journal::ProducerWriter writer(disk, {"/spool", {}, 16u << 20, std::chrono::milliseconds(2)},
                                   &next_random);
    ProducerIntake intake(disk, {"/spool", true}, &next_random);
    REQUIRE(intake.skip_recovered());
    REQUIRE(writer.append("delivery", 4, [](char* out) { std::string_view("one,").copy(out, 4); }));
    disk.fail(test::FaultStep::Sync, EIO);
    CHECK(intake.look().code() == core::ErrorCode::SpoolIo);
    CHECK_FALSE(intake.next());
    REQUIRE(intake.look());
    // The failure may have taken it back; else the kernel believes that the disk has it.
    if (!intake.next()) continue;
    ++copied_count;
    REQUIRE(disk.sync_directory("/spool"));
    disk.power_cut([](const std::string&, uint64_t) { return false; });
    auto file =
        journal::ProducerFile::open(disk, "/spool", 0, journal::ProducerFile::Mode::Existing, {});
    REQUIRE(file);
    auto header = (*file)->header();
    REQUIRE(header);
    REQUIRE(*header);
    CHECK((*header)->committed_end > journal::kProducerFramesOffset);
  }
  CHECK(copied_count > 0);
}

TEST_CASE("A mark that its writer could not sync any more is synced before it counts",
          "[spool][producer_intake]") {
  test::FaultFileSystem disk(1);
  journal::ProducerWriter writer(disk, {"/spool", {}, 16u << 20, std::chrono::milliseconds(2)},
                                 &next_random);
  REQUIRE(writer.append("delivery", 4, [](char* out) { std::string_view("one,").copy(out, 4); }));
  REQUIRE(writer.sync());
  {
    auto file =
        journal::ProducerFile::open(disk, "/spool", 0, journal::ProducerFile::Mode::Existing, {});
    REQUIRE(file);
    auto header = (*file)->header();
    REQUIRE(header);
    REQUIRE((*file)->set_copied_end(**header, (*header)->committed_end));
  }
  {
    ProducerIntake intake(disk, {"/spool", true}, &next_random);
    REQUIRE(intake.skip_recovered());
    CHECK_FALSE(intake.next());
  }
  disk.power_cut([](const std::string&, uint64_t) { return false; });
  ProducerIntake intake(disk, {"/spool", true}, &next_random);
  REQUIRE(intake.skip_recovered());
  CHECK_FALSE(intake.next());
}

TEST_CASE("The header of a frame that never counted does not hide what was written over it",
          "[spool][producer_intake]") {
  const TemporaryDirectory directory;
  Producer producer(directory);
  const auto file = files().open(directory.path("producer-00"), journal::OpenMode::Share, {});
  REQUIRE(file);
  producer.push("one,");
  journal::ProducerHeader before = header_of(directory);
  const uint64_t end = before.committed_end;
  producer.push(std::string(1000, 'x') + ",");
  std::string torn(journal::kFrameHeaderSize, '\0');
  REQUIRE((*file)->read_at(end, torn.data(), torn.size()));
  {
    // Its producer was killed before it wrote the length.
    auto same = journal::ProducerFile::open(files(), directory.path(), 0,
                                            journal::ProducerFile::Mode::Existing, {});
    REQUIRE((*same)->append(before, {}));
  }
  producer.push("two,");
  producer.push("three,");
  // A power cut took back the sector in which the second one begins.
  REQUIRE((*file)->write_at(end, torn));
  Deliverer deliverer(directory);
  deliverer.recover();
  CHECK(deliverer.copy() == Records{"one,", "three,"});
  CHECK(deliverer.remarks().empty());
}

TEST_CASE("A producer's type that the deliverer does not know reaches nobody, and is remarked once",
          "[spool][producer_intake]") {
  const TemporaryDirectory directory;
  Producer producer(directory);
  producer.push("one,", "my_type");
  producer.push("two,", "my_type");
  Deliverer deliverer(directory);
  deliverer.recover();
  CHECK(deliverer.copy().size() == 2);
  CHECK(deliverer.types().back() == core::kUnknownEventType);
  const auto remarks = deliverer.remarks();
  REQUIRE(remarks.size() == 1);
  CHECK(remarks[0].find("my_type") != std::string::npos);
}
