#include "engine/report.h"

namespace posthaste::engine {

const char* report_kind_name(ReportKind kind) {
  switch (kind) {
    case ReportKind::Delivered:
      return "delivered";
    case ReportKind::Retrying:
      return "retrying";
    case ReportKind::Dropped:
      return "dropped";
    case ReportKind::State:
      return "state";
    case ReportKind::Ticket:
      return "ticket";
    case ReportKind::Overflow:
      return "overflow";
    case ReportKind::Log:
      return "log";
    case ReportKind::DeadLettered:
      return "dead_lettered";
    case ReportKind::Spool:
      return "spool";
    case ReportKind::Endpoint:
      return "endpoint";
    case ReportKind::Limit:
      return "limit";
  }
  return "?";
}

const char* drop_reason_name(DropReason reason) {
  switch (reason) {
    case DropReason::None:
      return "none";
    case DropReason::Expired:
      return "expired";
    case DropReason::Quota:
      return "quota";
    case DropReason::Removed:
      return "removed";
    case DropReason::Closed:
      return "closed";
    case DropReason::Unreadable:
      return "unreadable";
    case DropReason::Salvaged:
      return "salvaged";
    case DropReason::DeadLetterQuota:
      return "dead_letter_quota";
    case DropReason::DeadLetterAge:
      return "dead_letter_age";
    case DropReason::Purged:
      return "purged";
    case DropReason::Unsecured:
      return "unsecured";
    case DropReason::Refused:
      return "refused";
  }
  return "?";
}

}  // namespace posthaste::engine
