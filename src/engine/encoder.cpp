#include "engine/encoder.h"

#include <optional>
#include <string_view>
#include <utility>

#include "transport/body_coding.h"
#include "transport/signature.h"

namespace posthaste::engine {
namespace {

using core::ErrorCode;
using transport::Compressor;
using transport::SigningSecret;

// Purpose: what one job's bytes go through. Ownership: owns codec and keys while the job runs.
// Threads: one. Invariants: a body that outgrows the budget is sent as it is, and signed all the
// same.
class Coder {
 public:
  Coder(const CodingJob& job, const CodedBudget& budget) : budget_(budget) {
    const core::DeliverySettings& settings = job.webhook->settings;
    if (job.compresses) {
      compressor_ = Compressor::make(settings.compression, job.input->size_bytes());
    }
    if (settings.signing_secrets.empty()) return;
    auto secrets = transport::parse_signing_secrets(settings.signing_secrets);
    if (!secrets) {
      error_ = secrets.error();
      return;
    }
    secrets_ = std::move(*secrets);
    signer_.emplace(secrets_, job.message_id, job.timestamp_s);
  }

  void add(std::string_view part) {
    if (signer_) signer_->add(part);
    if (!compressor_) return;
    if (!compressor_->add(part, coded_) || !budget_.has_room(coded_.size())) give_up();
  }

  void finish(CodingResult& result) {
    if (signer_) {
      auto signature = signer_->finish();
      if (signature) {
        result.signature = std::move(*signature);
      } else {
        error_ = signature.error();
      }
    }
    result.error = error_;
    if (!compressor_) return;
    if (!compressor_->finish(coded_) || !budget_.has_room(coded_.size())) return;
    coded_.shrink_to_fit();
    result.coded = budget_.hold(std::move(coded_));
  }

 private:
  void give_up() {
    compressor_.reset();
    coded_ = {};
  }

  const CodedBudget& budget_;
  std::unique_ptr<Compressor> compressor_;  // null: not asked for, or given up
  std::vector<SigningSecret> secrets_;
  std::optional<transport::Signer> signer_;
  core::Error error_;
  std::string coded_;
};

}  // namespace

CodedBytes CodedBudget::hold(std::string bytes) const {
  auto held = std::make_unique<const std::string>(std::move(bytes));
  held_->fetch_add(held->size());
  return {held.release(), [count = held_](const std::string* gone) {
            count->fetch_sub(gone->size());
            delete gone;
          }};
}

bool needs_coding(const core::DeliverySettings& settings) {
  return settings.compression != core::Compression::None || !settings.signing_secrets.empty();
}

CodingResult run_coding(const CodingJob& job, const CodedBudget& budget,
                        const std::function<bool()>& goes_on) {
  CodingResult result;
  result.id = job.id;
  Coder coder(job, budget);
  std::string piece(core::kCodingPieceSize, '\0');
  const uint64_t size_bytes = job.input->size_bytes();
  for (uint64_t offset = 0; offset < size_bytes;) {
    const size_t size = goes_on() ? job.input->read(offset, piece.data(), piece.size()) : 0;
    if (size == 0) {
      result.was_read = false;
      return result;
    }
    coder.add({piece.data(), size});
    offset += size;
  }
  coder.finish(result);
  return result;
}

}  // namespace posthaste::engine
