// Random operations against a small model of the store in memory, compared after every commit,
// after every restart and after a crash in the midst of a commit; commits fail at random.
#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>
#include <map>

#include "core/random.h"
#include "support/fault_vfs.h"
#include "unit/spool/store_fixture.h"

using namespace posthaste;
using namespace posthaste::spool;
using namespace posthaste::test;
using namespace std::chrono_literals;

namespace {

struct ModelBatch {
  uint64_t generation = 0;
  uint64_t target_revision = 0;
  uint32_t events_count = 0;
  std::string records;
  RetryState retry;
};
struct ModelWebhook {
  std::map<uint64_t, std::string> names;  // by target revision
  core::StreamPosition sealed_to = 0;
  bool is_removed = false;
};

// Purpose: what the database holds, in maps. Threads: one.
struct Model {
  std::map<uint64_t, ModelBatch> live;
  std::map<uint64_t, ModelBatch> letters;
  std::map<uint64_t, ModelWebhook> webhooks;
  std::map<std::pair<std::string, int32_t>, std::pair<uint64_t, uint64_t>> losses;
  core::StreamPosition low = 0;
  uint64_t greatest_sequence = 0;
  uint64_t greatest_generation = 0;

  void lose(const Loss& loss) {
    auto& [events, batches] = losses[{loss.webhook_id, loss.reason}];
    events += loss.events_count;
    batches += loss.batches_count;
  }

  // What recover() does with targets that no live batch refers to.
  void forget_unused() {
    for (auto webhook = webhooks.begin(); webhook != webhooks.end();) {
      auto& names = webhook->second.names;
      for (auto name = names.begin(); name != names.end();) {
        const bool is_current = name->first == names.rbegin()->first;
        const bool is_used = std::any_of(live.begin(), live.end(), [&](const auto& entry) {
          return entry.second.generation == webhook->first &&
                 entry.second.target_revision == name->first;
        });
        const bool goes = (webhook->second.is_removed || !is_current) && !is_used;
        name = goes ? names.erase(name) : std::next(name);
      }
      webhook = names.empty() ? webhooks.erase(webhook) : std::next(webhook);
    }
  }
};

std::string describe(uint64_t sequence, const ModelBatch& batch) {
  return std::to_string(sequence) + " " + std::to_string(batch.generation) + "." +
         std::to_string(batch.target_revision) + " " + std::to_string(batch.events_count) + " " +
         std::to_string(batch.retry.attempts_count) + " " +
         std::to_string(std::hash<std::string>()(body_of(batch.records))) + "\n";
}

// Everything as one text, to be compared with that of the store.
std::string describe(Model model) {
  model.forget_unused();
  std::string text = "low " + std::to_string(model.low) + " greatest " +
                     std::to_string(model.greatest_sequence) + " " +
                     std::to_string(model.greatest_generation) + "\n";
  for (const auto& [generation, webhook] : model.webhooks) {
    for (const auto& [revision, name] : webhook.names) {
      text += "webhook " + std::to_string(generation) + "." + std::to_string(revision) + " " +
              name + " " + std::to_string(webhook.sealed_to) +
              (webhook.is_removed ? " removed\n" : "\n");
    }
  }
  for (const auto& [sequence, batch] : model.live) text += "live " + describe(sequence, batch);
  for (const auto& [sequence, batch] : model.letters) text += "letter " + describe(sequence, batch);
  for (const auto& [key, counts] : model.losses) {
    if (counts.first == 0 && counts.second == 0) continue;
    text += "loss " + key.first + " " + std::to_string(key.second) + " " +
            std::to_string(counts.first) + " " + std::to_string(counts.second) + "\n";
  }
  return text;
}

Model model_of(SqliteStore& store) {
  Model model;
  const auto state = store.recover();
  REQUIRE(state);
  model.low = state->low;
  model.greatest_sequence = state->greatest_sequence;
  model.greatest_generation = state->greatest_generation;
  for (const WebhookRow& row : state->webhooks) {
    ModelWebhook& webhook = model.webhooks[row.webhook.generation];
    webhook.names[row.webhook.target_revision] = row.webhook.name;
    webhook.sealed_to = row.sealed_to;
    webhook.is_removed = row.is_removed;
  }
  for (const Loss& loss : state->losses) model.lose(loss);
  const auto records = [&](uint64_t sequence) {
    std::string body = read_body(store, sequence);
    body.back() = ',';
    return body.substr(1);
  };
  const auto batches = store.list_batches({}, 0, 100'000);
  const auto letters = store.list_dead_letters({}, 0, 100'000);
  REQUIRE(batches);
  REQUIRE(letters);
  for (const LiveBatch& batch : *batches) {
    model.live[batch.sequence] = {batch.generation, batch.target_revision, batch.events_count,
                                  records(batch.sequence), batch.retry};
  }
  for (const DeadLetter& letter : *letters) {
    model.letters[letter.sequence] = {letter.generation,
                                      letter.target_revision,
                                      letter.events_count,
                                      records(letter.sequence),
                                      {}};
  }
  return model;
}

// Purpose: makes random operations and gives them to both. Threads: one.
class Player {
 public:
  Player(uint64_t seed, SyncLevel sync) : random_(seed) {
    options_.directory = directory_.path();
    options_.sync = sync;
    options_.vfs = vfs_.name();
    options_.dead_letters_max_bytes = kLettersBytesMax;
    reopen();
  }
  ~Player() { vfs_.set_hook(nullptr); }

  void play(int rounds) {
    for (int round = 0; round < rounds; ++round) {
      for (uint64_t i = 1 + random_.below(30); i > 0; --i) queue_one();
      switch (random_.below(12)) {
        case 0:
          reopen();
          break;
        case 1:
          fail_a_commit();
          break;
        case 2:
          crash_in_a_commit();
          break;
        case 3:
          commit();
          move_bodies();
          break;
        default:
          commit();
      }
      compare(*store_);
    }
    REQUIRE(store_->check()->empty());
  }

 private:
  static constexpr uint64_t kLettersBytesMax = 200'000;
  using Change = std::function<void(Model&)>;

  // Only what is certain by now: the model with all that is queued.
  const Model& ahead() const { return ahead_; }

  void queue(Change change) {
    change(ahead_);
    queued_.push_back(std::move(change));
  }

  void queue_one() {
    switch (random_.below(16)) {
      case 0:
        return put_webhook();
      case 1:
        return remove_webhook();
      case 2:
        return split();
      case 3:
        return replay();
      case 4:
        return delete_letters();
      case 5:
        return set_low();
      case 6:
        return report_losses();
      case 7:
      case 8:
      case 9:
        return attempt();
      case 10:
      case 11:
      case 12:
        return finish();
      default:
        return seal();
    }
  }

  template <typename Map>
  std::optional<uint64_t> any_key(const Map& map) {
    if (map.empty()) return std::nullopt;
    return std::next(map.begin(), static_cast<std::ptrdiff_t>(random_.below(map.size())))->first;
  }

  void put_webhook() {
    const auto existing = any_key(ahead().webhooks);
    const bool is_new = !existing || ahead().webhooks.size() < 3 || random_.below(4) == 0;
    const uint64_t generation = is_new ? ahead().greatest_generation + 1 : *existing;
    uint64_t revision = 1;
    if (!is_new) {
      const ModelWebhook& webhook = ahead().webhooks.at(generation);
      if (webhook.is_removed || webhook.names.empty()) return;
      revision = webhook.names.rbegin()->first + random_.below(2);
    }
    WebhookRow row = make_webhook(generation, revision);
    row.webhook.name = "name " + std::to_string(random_.below(1000));
    row.sealed_to = position_;
    store_->put_webhook(row);
    queue([row, generation, revision](Model& model) {
      ModelWebhook& webhook = model.webhooks[generation];
      webhook.names[revision] = row.webhook.name;
      webhook.sealed_to = std::max(webhook.sealed_to, row.sealed_to);
      model.greatest_generation = std::max(model.greatest_generation, generation);
    });
  }

  void remove_webhook() {
    const auto generation = any_key(ahead().webhooks);
    if (!generation || random_.below(3) != 0) return;
    store_->set_removed(*generation);
    queue([g = *generation](Model& model) { model.webhooks[g].is_removed = true; });
    const bool is_idle =
        std::none_of(ahead().live.begin(), ahead().live.end(),
                     [&](const auto& entry) { return entry.second.generation == *generation; });
    if (!is_idle) return;
    store_->forget(*generation);
    queue([g = *generation](Model& model) { model.webhooks.erase(g); });
  }

  void seal() {
    const auto generation = any_key(ahead().webhooks);
    if (!generation || ahead().webhooks.at(*generation).is_removed) return;
    std::vector<core::StreamRange> ranges;
    for (uint64_t i = 1 + random_.below(4); i > 0; --i) {
      ranges.push_back({position_, 20 + random_.below(random_.below(5) == 0 ? 90'000 : 300)});
      position_ = ranges.back().end() + random_.below(50);
    }
    BatchRow row = make_batch(++sequence_, ranges, *generation);
    row.target_revision = ahead().webhooks.at(*generation).names.rbegin()->first;
    store_->seal(row);
    queue([row](Model& model) {
      model.live[row.sequence] = {
          row.generation, row.target_revision, row.events_count, records_of(row.ranges), {}};
      ModelWebhook& webhook = model.webhooks.at(row.generation);
      webhook.sealed_to = std::max(webhook.sealed_to, row.sealed_to);
      model.greatest_sequence = std::max(model.greatest_sequence, row.sequence);
    });
  }

  void attempt() {
    const auto sequence = any_key(ahead().live);
    if (!sequence) return;
    RetryState retry;
    retry.attempts_count = 1 + static_cast<uint32_t>(random_.below(1000));
    store_->attempted(*sequence, retry);
    queue([s = *sequence, retry](Model& model) { model.live.at(s).retry = retry; });
  }

  void finish() {
    const auto sequence = any_key(ahead().live);
    if (!sequence) return;
    const uint64_t s = *sequence;
    Ending ending;
    const uint64_t kind = random_.below(3);
    if (kind > 0) ending.loss = Loss{"w" + std::to_string(random_.below(3)), 1, 5, 1};
    if (kind == 2) ending.dead_letter = dead_lettered(at(1s)).dead_letter;
    store_->finish(s, ending);
    queue([s, ending](Model& model) {
      if (ending.loss) model.lose(*ending.loss);
      if (ending.dead_letter) {
        model.letters[s] = model.live.at(s);
        model.letters[s].retry = {};
      }
      model.live.erase(s);
    });
    has_new_letters_ |= kind == 2;
  }

  void split() {
    const auto parent = any_key(ahead().live);
    if (!parent || ahead().live.at(*parent).records.size() < 20) return;
    const uint64_t size = ahead().live.at(*parent).records.size();
    const uint64_t middle = 5 + random_.below(size - 10);
    const uint64_t first = ++sequence_;
    const uint64_t second = ++sequence_;
    RetryState retry;
    retry.attempts_count = 7;
    store_->split(*parent, {{first, batch_id(first), 1, 0, middle, retry},
                            {second, batch_id(second), 2, middle, size - middle, retry}});
    queue([p = *parent, middle, first, second, retry](Model& model) {
      const ModelBatch whole = model.live.at(p);
      model.live[first] = {whole.generation, whole.target_revision, 1,
                           whole.records.substr(0, middle), retry};
      model.live[second] = {whole.generation, whole.target_revision, 2,
                            whole.records.substr(middle), retry};
      model.live.erase(p);
      model.greatest_sequence = std::max(model.greatest_sequence, second);
    });
  }

  void replay() {
    // A letter that is only queued may be gone by the quota when its time comes.
    const auto sequence = any_key(certain_.letters);
    const auto generation = any_key(ahead().webhooks);
    if (!sequence || !generation || ahead().letters.count(*sequence) == 0 || has_new_letters_) {
      return;
    }
    const uint64_t revision = ahead().webhooks.at(*generation).names.rbegin()->first;
    store_->replay_dead_letter(*sequence, *generation, revision);
    queue([s = *sequence, g = *generation, revision](Model& model) {
      model.live[s] = model.letters.at(s);
      model.live[s].generation = g;
      model.live[s].target_revision = revision;
      model.letters.erase(s);
    });
  }

  void delete_letters() {
    const auto sequence = any_key(ahead().letters);
    if (!sequence || random_.below(4) != 0) return;
    DeadLetterFilter filter;
    filter.batch_id = batch_id(*sequence);
    store_->delete_dead_letters(filter);
    queue([s = *sequence](Model& model) { model.letters.erase(s); });
  }

  void set_low() {
    const core::StreamPosition low = random_.below(position_ + 1);
    store_->set_low(low);
    queue([low](Model& model) { model.low = std::max(model.low, low); });
  }

  void report_losses() {
    const std::string webhook = "w" + std::to_string(random_.below(3));
    const auto known = ahead().losses.find({webhook, 1});
    if (known == ahead().losses.end()) return;
    const Loss loss{webhook, 1, known->second.first, known->second.second};
    store_->losses_reported(loss);
    queue([loss](Model& model) {
      auto& [events, batches] = model.losses[{loss.webhook_id, loss.reason}];
      events -= loss.events_count;
      batches -= loss.batches_count;
    });
  }

  // The model after a commit of what is queued.
  Model committed_model() const {
    Model model = certain_;
    for (const Change& change : queued_) change(model);
    if (!has_new_letters_) return model;
    uint64_t size = 0;
    for (const auto& [sequence, letter] : model.letters) size += letter.records.size() + 1;
    while (size > kLettersBytesMax) {
      const auto oldest = model.letters.begin();
      const std::string webhook_id = "webhook-" + std::to_string(oldest->second.generation);
      size -= oldest->second.records.size() + 1;
      model.lose({webhook_id, kLossDeadLetterQuota, oldest->second.events_count, 1});
      model.letters.erase(oldest);
    }
    return model;
  }

  void take_as_certain() {
    certain_ = committed_model();
    ahead_ = certain_;
    queued_.clear();
    has_new_letters_ = false;
  }

  void commit() {
    const auto committed = store_->commit(records_);
    REQUIRE((committed ? "" : committed.error().message) == "");
    take_as_certain();
  }

  void move_bodies() {
    const core::StreamPosition first = random_.below(position_ + 1);
    REQUIRE(store_->move_to_blob(first, first + random_.below(100'000), records_));
  }

  void fail_a_commit() {
    uint64_t left = random_.below(20);
    const auto fault = static_cast<DiskFault>(1 + random_.below(3));
    vfs_.set_hook([&](const DiskAccess& access) {
      if (access.kind == DiskAccess::Kind::Read || left-- > 0) return DiskFault::None;
      left = 0;
      return fault;
    });
    const bool is_committed = store_->commit(records_).ok();
    vfs_.set_hook(nullptr);
    if (is_committed) take_as_certain();
  }

  void crash_in_a_commit() {
    TemporaryDirectory copy;
    uint64_t left = random_.below(30);
    bool is_copied = false;
    vfs_.set_hook([&](const DiskAccess& access) {
      if (access.kind == DiskAccess::Kind::Read || left-- > 0) return DiskFault::None;
      left = ~uint64_t{0};
      is_copied = true;
      if (options_.sync == SyncLevel::Full && random_.below(2) == 0) {
        vfs_.copy_after_power_cut(copy.path(), random_);
      } else {
        copy_files(copy.path());
      }
      return DiskFault::None;
    });
    const std::string before = describe(certain_);
    commit();
    vfs_.set_hook(nullptr);
    if (!is_copied) return;
    SqliteStoreOptions options = options_;
    options.directory = copy.path();
    options.vfs = nullptr;
    const auto crashed = SqliteStore::open(options);
    REQUIRE(crashed);
    const std::string found = describe(model_of(**crashed));
    if (found != before) REQUIRE(found == describe(certain_));
    REQUIRE((*crashed)->check()->empty());
  }

  void copy_files(const std::string& to) {
    for (const char* suffix : {"", "-wal"}) {
      const std::string path = directory_.database() + suffix;
      if (!std::filesystem::exists(path)) continue;
      std::filesystem::copy_file(path, to + "/" + kDatabaseName + suffix);
    }
  }

  // What is queued is forgotten with the process.
  void reopen() {
    store_.reset();
    auto opened = SqliteStore::open(options_);
    REQUIRE(opened);
    store_ = std::move(*opened);
    queued_.clear();
    ahead_ = certain_;
    has_new_letters_ = false;
  }

  void compare(SqliteStore& store) {
    const std::string found = describe(model_of(store));
    const std::string expected = describe(certain_);
    if (found != expected) REQUIRE(found == expected);
    certain_.forget_unused();
    if (queued_.empty()) ahead_ = certain_;
  }

  core::Random random_;
  TemporaryDirectory directory_;
  FaultVfs vfs_;
  SqliteStoreOptions options_;
  SimRecords records_;
  std::unique_ptr<SqliteStore> store_;
  Model certain_;
  Model ahead_;
  std::vector<Change> queued_;
  bool has_new_letters_ = false;
  uint64_t sequence_ = 0;
  core::StreamPosition position_ = 1;
};

}  // namespace

TEST_CASE("The durable store does what a model in memory does, over failures and crashes",
          "[spool][sqlite_model]") {
  const uint64_t seed = GENERATE(range(uint64_t{1}, uint64_t{9}));
  CAPTURE(seed);
  Player(seed, seed % 2 ? SyncLevel::Full : SyncLevel::Normal).play(60);
}
