// Faults that the simulation can switch on to show that it would notice them (design section 7). In
// the library there are none: is_broken() is a constant there and leaves no code.
#pragma once

namespace posthaste::core {

enum class Break {
  None,
  LoseEvent,             // an event is not routed
  DoubleEvent,           // an event is routed twice
  MiscountDelivered,     // the counter of delivered events is wrong
  OverfullBatch,         // one event more than batch.max_events
  OldBatch,              // sealed later than batch.max_age
  NeedlessSeal,          // sealed before anything asks for it
  EarlyActivation,       // events pushed before the activation are taken
  TooManyInFlight,       // one more than request.max_in_flight
  TooManyConnections,    // connections.max is not looked at
  TooManyProbes,         // endpoints in trouble take more than half of the connections
  EarlyProbe,            // an endpoint in trouble is probed before that is due
  EarlyRetry,            // a batch in trouble is tried again before that is due
  LateAttempt,           // batches do not expire while they wait
  RestartedClock,        // each failure starts the four hours anew
  RunningPauseClock,     // the four hours run on while the webhook is paused
  ChangedBytes,          // a body differs when it is not read in one piece
  ChangedId,             // another attempt has another batch id
  OutOfOrder,            // the newest batch goes first
  BlockedByTroubled,     // a batch in trouble holds the others of its endpoint
  RandomUnseeded,        // random numbers differ between two runs
  StuckInTrouble,        // a success does not end an endpoint's trouble
  UnboundedIntake,       // the intake grows without limit
  UnboundedWaiting,      // no quota is enforced
  GreedyCopies,          // what spares a segment is copied beyond the quotas
  UnboundedReports,      // the queue of reports grows without limit
  SlowLoses,             // batches of webhooks that are merely slow are dropped
  LostDropCount,         // joined drops lose their numbers
  SilentClose,           // what is given up at the end is not reported
  EarlyFlush,            // a flush does not wait for first outcomes
  OldTargetForgotten,    // queued batches follow a change of the target
  RemovedStuck,          // batches of a removed webhook that was paused stay
  PausedSends,           // a paused webhook sends
  DroppedTwice,          // a drop is reported twice
  RateIgnored,           // more requests or events than a webhook's rates allow
  HastyAfterRetryAfter,  // Retry-After is not looked at
  PartLost,              // a part of a batch that was taken apart is forgotten
  PartRepeated,          // parts overlap
  LimitIgnored,          // batches are larger than their endpoint is known to take
  CodedAgain,            // what was refused compressed goes compressed again
  OldTimestamp,          // signatures have the time of the sealing
  SealedCredentials,     // an earlier target of the same origin gets the credentials of its time
  TwoTokenRequests,      // who needs a token asks though it is asked for already
  HastyRenewal,          // a refused token is sent again at once
  // From here on it is the spool's tests that notice.
  CursorAhead,          // recovery goes on behind records that are in no batch yet
  RowsAfterAttempts,    // a batch is attempted before its row is on disk
  SkipFdatasync,        // the journal calls synced what it did not sync
  NoSalt,               // all uses of the journal's files have the same salt
  SkipRow,              // a batch is attempted and never gets a row
  RowGoneEarly,         // the row of a batch goes when its attempt begins
  LowAhead,             // recovery goes on behind records that are in open batches
  EarlySync,            // sync answers before the changes of the registry are on disk
  RecycleEarly,         // files of the journal that batches need are used again
  SecretsUnwritten,     // a change of credentials is not written down
  LossForgotten,        // a drop is not written down with the end of its batch
  ActivationUnwritten,  // events are taken before their webhook's activation is on disk
  LengthBeforeFrame,    // a producer says that its frame is there before it is
  ProducerSyncSkipped,  // a producer calls synced what it did not sync
  CopiesUnsecured,      // what is copied from a producer's file may not be on disk there
  MarkedEarly,          // a producer's file says that it was copied before the copies are synced
  MarkUnsynced,         // a producer's file may forget that it was copied
  UsedAgainEarly,       // a producer's file is emptied before it says that all was copied
};

#ifdef POSTHASTE_DELIBERATE_BREAKS
// Defined and set by the simulation's runner.
extern Break chosen_break;
inline bool is_broken(Break kind) {
  return chosen_break == kind;
}
#else
constexpr bool is_broken(Break) {
  return false;
}
#endif

}  // namespace posthaste::core
