// The bounds of the library: every queue, loop, buffer and string takes its limit from here. A
// value that a host may change is a configuration key; its default and its ceiling stand here, and
// the property table refers to them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace posthaste::core {

// Objects and arrays inside one another in one event or one configuration text; the outermost
// counts as one.
inline constexpr size_t kJsonDepthMax = 64;

// Bytes of one event's payload: what is allowed unless configured, and the most that can be
// configured.
inline constexpr size_t kEventSizeDefault = size_t{1} << 20;
inline constexpr size_t kEventSizeMax = size_t{16} << 20;

// Characters in the name of an event type or class.
inline constexpr size_t kEventNameMax = 64;

// Event types the catalogue can hold, those of the original and those of the host together.
inline constexpr size_t kEventTypesMax = 512;

// Members that the builder accepts in the objects open at one time.
inline constexpr size_t kBuilderMembersMax = 4096;

// Bytes and members of a JSON text read into a tree (configuration files, REST bodies).
inline constexpr size_t kJsonTextSizeMax = size_t{16} << 20;
inline constexpr size_t kJsonValuesMax = size_t{1} << 20;

// Memory of one intake segment, one huge page: its index of that many records, and the bytes of
// records. A larger record gets a segment of its own.
inline constexpr uint32_t kSegmentMemory = 2u << 20;
inline constexpr uint32_t kSegmentRecords = 4096;
inline constexpr uint32_t kSegmentEntrySize = 24;
inline constexpr uint32_t kSegmentSize = kSegmentMemory - kSegmentRecords * kSegmentEntrySize;

// A batch this small is copied out of its segments when it is sealed: cheaper than what it would
// pin.
inline constexpr uint64_t kCopyAtSealSize = 16u << 10;

// An open batch that holds less than one part in this many of a finished segment copies its records
// out.
inline constexpr uint64_t kSparseShare = 8;

// Tickets whose report was not pulled yet.
inline constexpr size_t kTicketsMax = 1024;

// The oldest batches of an endpoint in trouble that take turns as its probe.
inline constexpr size_t kProbeBatches = 3;

// Different batches in a row with content failures that make them the endpoint's trouble.
inline constexpr size_t kContentFailuresInARow = 3;

// Secrets that sign the batches of one webhook: the one of now, and others while they are changed.
inline constexpr size_t kSigningSecretsMax = 8;

// Compressed bodies of the attempts of one engine. A batch that finds no room goes uncompressed.
inline constexpr uint64_t kCodedBytesMax = uint64_t{64} << 20;

// Bytes of a batch that are compressed and signed at a time.
inline constexpr size_t kCodingPieceSize = size_t{64} << 10;
// Content failures of a whole batch before it is halved.
inline constexpr uint32_t kContentFailuresToSplit = 3;

// Time-outs in a row after which an endpoint's batches are thought to be too large for it, and the
// least that is tried then.
inline constexpr uint32_t kSlowInARow = 3;
inline constexpr uint32_t kGuessedEventsMin = 100;

// How long what was learned of an endpoint's greatest batch is taken for true.
inline constexpr std::chrono::hours kLearnedLimitAge{24};

// Keys of the REST API.
inline constexpr size_t kApiKeysMax = 1000;

// Bytes of a webhook's name, target and id.
inline constexpr size_t kWebhookNameMax = 256;
inline constexpr size_t kTargetMax = 2048;
inline constexpr size_t kWebhookIdMax = 64;

}  // namespace posthaste::core
