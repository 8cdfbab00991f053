"""Made from include/posthaste/posthaste.h by scripts/generate_bindings.py; not edited."""
from ctypes import (CFUNCTYPE, POINTER, c_char_p, c_double, c_int32, c_int64, c_size_t,
                    c_uint32, c_uint64, c_void_p)

posthaste_write_fn = CFUNCTYPE(c_int32, c_void_p, c_size_t, c_void_p)
posthaste_log_fn = CFUNCTYPE(None, c_int32, c_char_p, c_void_p)

# name -> (result, arguments). Characters whose size is told besides come as an address.
FUNCTIONS = {
    "posthaste_version": (c_char_p, []),
    "posthaste_error_name": (c_char_p, [c_int32]),
    "posthaste_strerror": (c_char_p, [c_int32]),
    "posthaste_error_new": (c_void_p, []),
    "posthaste_error_free": (None, [c_void_p]),
    "posthaste_error_code": (c_int32, [c_void_p]),
    "posthaste_error_message": (c_char_p, [c_void_p]),
    "posthaste_error_key": (c_char_p, [c_void_p]),
    "posthaste_error_set": (None, [c_void_p, c_int32, c_char_p, c_char_p]),
    "posthaste_error_phase": (c_int32, [c_void_p]),
    "posthaste_error_network_name": (c_char_p, [c_void_p]),
    "posthaste_error_status": (c_int32, [c_void_p]),
    "posthaste_error_header_count": (c_size_t, [c_void_p]),
    "posthaste_error_header_name": (c_char_p, [c_void_p, c_size_t]),
    "posthaste_error_header_value": (c_char_p, [c_void_p, c_size_t]),
    "posthaste_error_body": (c_void_p, [c_void_p, POINTER(c_size_t)]),
    "posthaste_text_data": (c_void_p, [c_void_p]),
    "posthaste_text_size": (c_size_t, [c_void_p]),
    "posthaste_text_free": (None, [c_void_p]),
    "posthaste_text_new": (c_void_p, [c_char_p, c_size_t]),
    "posthaste_conf_new": (c_void_p, []),
    "posthaste_conf_free": (None, [c_void_p]),
    "posthaste_conf_copy": (c_void_p, [c_void_p]),
    "posthaste_conf_set": (c_int32, [c_void_p, c_char_p, c_char_p, c_void_p]),
    "posthaste_conf_get": (c_char_p, [c_void_p, c_char_p]),
    "posthaste_conf_describe": (c_int32, [c_char_p, POINTER(c_void_p), c_void_p]),
    "posthaste_new": (c_int32, [c_void_p, POINTER(c_void_p), c_void_p]),
    "posthaste_start": (c_int32, [c_void_p, c_void_p]),
    "posthaste_close": (c_int32, [c_void_p, c_int32, c_void_p]),
    "posthaste_close_ticket": (c_int32, [c_void_p, c_int32, POINTER(c_uint64), c_void_p]),
    "posthaste_free": (None, [c_void_p]),
    "posthaste_set": (c_int32, [c_void_p, c_char_p, c_char_p, c_void_p]),
    "posthaste_get": (c_int32, [c_void_p, c_char_p, POINTER(c_void_p), c_void_p]),
    "posthaste_webhook_new": (c_void_p, []),
    "posthaste_webhook_free": (None, [c_void_p]),
    "posthaste_webhook_copy": (c_void_p, [c_void_p]),
    "posthaste_webhook_set": (c_int32, [c_void_p, c_char_p, c_char_p, c_void_p]),
    "posthaste_webhook_set_json": (c_int32, [c_void_p, c_char_p, c_size_t, c_void_p]),
    "posthaste_webhook_get": (c_char_p, [c_void_p, c_char_p]),
    "posthaste_webhook_json": (c_int32, [c_void_p, POINTER(c_void_p)]),
    "posthaste_create": (c_int32, [c_void_p, c_void_p, c_int32, POINTER(c_void_p), c_void_p]),
    "posthaste_create_ticket": (c_int32, [c_void_p, c_void_p, POINTER(c_uint64), c_void_p]),
    "posthaste_put": (c_int32, [c_void_p, c_char_p, c_void_p, c_void_p]),
    "posthaste_update": (c_int32, [c_void_p, c_char_p, c_void_p, c_int32, c_void_p]),
    "posthaste_update_ticket": (c_int32, [c_void_p, c_char_p, c_void_p, POINTER(c_uint64), c_void_p]),
    "posthaste_remove": (c_int32, [c_void_p, c_char_p, c_int32, c_void_p]),
    "posthaste_pause": (c_int32, [c_void_p, c_char_p, c_void_p]),
    "posthaste_resume": (c_int32, [c_void_p, c_char_p, c_void_p]),
    "posthaste_verify": (c_int32, [c_void_p, c_char_p, c_int32, c_void_p]),
    "posthaste_verify_ticket": (c_int32, [c_void_p, c_char_p, POINTER(c_uint64), c_void_p]),
    "posthaste_find": (c_int32, [c_void_p, c_char_p, POINTER(c_void_p), c_void_p]),
    "posthaste_list": (c_int32, [c_void_p, POINTER(c_void_p), c_void_p]),
    "posthaste_webhook_list_count": (c_size_t, [c_void_p]),
    "posthaste_webhook_list_at": (c_void_p, [c_void_p, c_size_t]),
    "posthaste_webhook_list_free": (None, [c_void_p]),
    "posthaste_load": (c_int32, [c_void_p, c_char_p, POINTER(c_void_p), c_void_p]),
    "posthaste_define_type": (c_int32, [c_void_p, c_char_p, c_char_p, c_void_p]),
    "posthaste_wants": (c_int32, [c_void_p, c_char_p]),
    "posthaste_push": (c_int32, [c_void_p, c_char_p, c_char_p, c_size_t]),
    "posthaste_push_trusted": (c_int32, [c_void_p, c_char_p, c_char_p, c_size_t]),
    "posthaste_push_enveloped": (c_int32, [c_void_p, c_char_p, c_size_t]),
    "posthaste_push_many": (c_int32, [c_void_p, c_char_p, c_char_p, c_size_t, POINTER(c_size_t), POINTER(c_int32), c_size_t]),
    "posthaste_check": (c_int32, [c_void_p, c_char_p, c_char_p, c_size_t, c_void_p]),
    "posthaste_event_new": (c_void_p, [c_char_p]),
    "posthaste_event_free": (None, [c_void_p]),
    "posthaste_event_reset": (c_int32, [c_void_p, c_char_p]),
    "posthaste_event_set": (c_int32, [c_void_p, c_char_p, c_char_p]),
    "posthaste_event_set_text": (c_int32, [c_void_p, c_char_p, c_char_p, c_size_t]),
    "posthaste_event_set_int": (c_int32, [c_void_p, c_char_p, c_int64]),
    "posthaste_event_set_double": (c_int32, [c_void_p, c_char_p, c_double]),
    "posthaste_event_set_bool": (c_int32, [c_void_p, c_char_p, c_int32]),
    "posthaste_event_set_json": (c_int32, [c_void_p, c_char_p, c_char_p, c_size_t]),
    "posthaste_event_begin_object": (c_int32, [c_void_p, c_char_p]),
    "posthaste_event_begin_array": (c_int32, [c_void_p, c_char_p]),
    "posthaste_event_end": (c_int32, [c_void_p]),
    "posthaste_event_mark": (c_int32, [c_void_p]),
    "posthaste_event_rewind": (c_int32, [c_void_p]),
    "posthaste_event_check": (c_int32, [c_void_p, c_void_p]),
    "posthaste_event_json": (c_int32, [c_void_p, POINTER(c_void_p), c_void_p]),
    "posthaste_push_event": (c_int32, [c_void_p, c_void_p]),
    "posthaste_flush": (c_int32, [c_void_p, c_int32, c_void_p]),
    "posthaste_flush_ticket": (c_int32, [c_void_p, POINTER(c_uint64), c_void_p]),
    "posthaste_sync": (c_int32, [c_void_p, c_int32, c_void_p]),
    "posthaste_sync_ticket": (c_int32, [c_void_p, POINTER(c_uint64), c_void_p]),
    "posthaste_open_batch": (c_int32, [c_void_p, c_char_p, POINTER(c_uint64), POINTER(c_uint64), c_void_p]),
    "posthaste_batch_status": (c_int32, [c_void_p, c_char_p, c_size_t, c_int32, POINTER(c_void_p), c_void_p]),
    "posthaste_retry_now": (c_int32, [c_void_p, c_char_p, c_void_p]),
    "posthaste_filter_new": (c_void_p, []),
    "posthaste_filter_free": (None, [c_void_p]),
    "posthaste_filter_set": (c_int32, [c_void_p, c_char_p, c_char_p, c_void_p]),
    "posthaste_waiting_list": (c_int32, [c_void_p, c_void_p, c_uint64, c_size_t, POINTER(c_void_p), c_void_p]),
    "posthaste_waiting_find": (c_int32, [c_void_p, c_char_p, POINTER(c_void_p), c_void_p]),
    "posthaste_dead_letter_list": (c_int32, [c_void_p, c_void_p, c_uint64, c_size_t, POINTER(c_void_p), c_void_p]),
    "posthaste_dead_letter_find": (c_int32, [c_void_p, c_char_p, POINTER(c_void_p), c_void_p]),
    "posthaste_dead_letter_replay": (c_int32, [c_void_p, c_void_p, c_int32, POINTER(c_uint64), c_void_p]),
    "posthaste_dead_letter_remove": (c_int32, [c_void_p, c_void_p, c_int32, POINTER(c_uint64), c_void_p]),
    "posthaste_purge": (c_int32, [c_void_p, c_char_p, c_int32, POINTER(c_uint64), POINTER(c_uint64), c_void_p]),
    "posthaste_batch_export": (c_int32, [c_void_p, c_char_p, POINTER(c_uint64), c_void_p, posthaste_write_fn, c_void_p]),
    "posthaste_spool_check": (c_int32, [c_void_p, c_int32, POINTER(c_void_p), c_void_p]),
    "posthaste_poll": (c_int32, [c_void_p, c_int32, POINTER(c_void_p)]),
    "posthaste_report_fd": (c_int32, [c_void_p]),
    "posthaste_report_free": (None, [c_void_p]),
    "posthaste_report_kind": (c_int32, [c_void_p]),
    "posthaste_report_kind_name": (c_char_p, [c_int32]),
    "posthaste_report_webhook_id": (c_char_p, [c_void_p]),
    "posthaste_report_batch_id": (c_char_p, [c_void_p]),
    "posthaste_report_message": (c_char_p, [c_void_p]),
    "posthaste_report_ticket": (c_uint64, [c_void_p]),
    "posthaste_report_code": (c_int32, [c_void_p]),
    "posthaste_report_reason": (c_int32, [c_void_p]),
    "posthaste_report_reached": (c_int32, [c_void_p]),
    "posthaste_report_status": (c_int32, [c_void_p]),
    "posthaste_report_network_name": (c_char_p, [c_void_p]),
    "posthaste_report_attempts": (c_uint32, [c_void_p]),
    "posthaste_report_events": (c_uint64, [c_void_p]),
    "posthaste_report_count": (c_uint64, [c_void_p]),
    "posthaste_report_bytes": (c_uint64, [c_void_p]),
    "posthaste_report_time_ms": (c_int64, [c_void_p]),
    "posthaste_report_next_try_ms": (c_int64, [c_void_p]),
    "posthaste_report_timing_us": (c_uint64, [c_void_p, c_int32]),
    "posthaste_report_level": (c_int32, [c_void_p]),
    "posthaste_report_json": (c_int32, [c_void_p, POINTER(c_void_p)]),
    "posthaste_report_error": (c_int32, [c_void_p, c_void_p]),
    "posthaste_request_new": (c_void_p, [c_char_p, c_char_p]),
    "posthaste_request_free": (None, [c_void_p]),
    "posthaste_request_add_header": (c_int32, [c_void_p, c_char_p, c_char_p]),
    "posthaste_request_set_body": (c_int32, [c_void_p, c_char_p, c_size_t]),
    "posthaste_request_set_peer": (c_int32, [c_void_p, c_char_p]),
    "posthaste_request_set_scheme": (c_int32, [c_void_p, c_char_p]),
    "posthaste_request_method": (c_char_p, [c_void_p]),
    "posthaste_request_target": (c_char_p, [c_void_p]),
    "posthaste_request_peer": (c_char_p, [c_void_p]),
    "posthaste_request_header_count": (c_size_t, [c_void_p]),
    "posthaste_request_header_name": (c_char_p, [c_void_p, c_size_t]),
    "posthaste_request_header_value": (c_char_p, [c_void_p, c_size_t]),
    "posthaste_request_body": (c_void_p, [c_void_p, POINTER(c_size_t)]),
    "posthaste_request_set_identity": (c_int32, [c_void_p, c_int32, c_int64]),
    "posthaste_api_handle": (c_int32, [c_void_p, c_void_p, c_int32, POINTER(c_void_p), c_void_p]),
    "posthaste_api_handle_ticket": (c_int32, [c_void_p, c_void_p, POINTER(c_uint64), c_void_p]),
    "posthaste_report_response": (c_int32, [c_void_p, POINTER(c_void_p)]),
    "posthaste_response_status": (c_int32, [c_void_p]),
    "posthaste_response_header_count": (c_size_t, [c_void_p]),
    "posthaste_response_header_name": (c_char_p, [c_void_p, c_size_t]),
    "posthaste_response_header_value": (c_char_p, [c_void_p, c_size_t]),
    "posthaste_response_body": (c_void_p, [c_void_p, POINTER(c_size_t)]),
    "posthaste_response_free": (None, [c_void_p]),
    "posthaste_response_new": (c_void_p, [c_int32]),
    "posthaste_response_add_header": (c_int32, [c_void_p, c_char_p, c_char_p]),
    "posthaste_response_set_body": (c_int32, [c_void_p, c_char_p, c_size_t]),
    "posthaste_key_create": (c_int32, [c_void_p, c_char_p, c_int32, c_int64, POINTER(c_void_p), c_void_p]),
    "posthaste_key_put": (c_int32, [c_void_p, c_char_p, c_char_p, c_int32, c_int64, POINTER(c_void_p), c_void_p]),
    "posthaste_key_list": (c_int32, [c_void_p, POINTER(c_void_p), c_void_p]),
    "posthaste_key_revoke": (c_int32, [c_void_p, c_char_p, c_void_p]),
    "posthaste_stats_json": (c_int32, [c_void_p, POINTER(c_void_p)]),
    "posthaste_set_log": (c_int32, [c_void_p, posthaste_log_fn, c_void_p]),
    "posthaste_log": (c_int32, [c_void_p, c_int32, c_char_p]),
}

OK = 0
E_INVALID = 1
E_STATE = 2
E_FORKED = 3
E_NO_MEMORY = 4
E_TIMEOUT = 5
E_EMPTY = 6
E_QUEUE_FULL = 7
E_INTERNAL = 8
E_SYSTEM = 9
E_TLS_BACKEND = 10
E_UNSUPPORTED = 11
E_UNKNOWN_KEY = 100
E_BAD_VALUE = 101
E_NOT_CHANGEABLE = 102
E_NOT_FOUND = 200
E_EXISTS = 201
E_VERIFY_FAILED = 202
E_BAD_TARGET = 203
E_BAD_EVENTS = 204
E_BAD_HEADER = 205
E_MISSING_FIELD = 206
E_BAD_FILE = 207
E_BAD_JSON = 300
E_BAD_UTF8 = 301
E_UNKNOWN_TYPE = 302
E_TYPE_MISMATCH = 303
E_TOO_LARGE = 304
E_TOO_DEEP = 305
E_DUPLICATE_KEY = 306
E_BAD_FIELD = 307
E_SPOOL_FULL = 400
E_SPOOL_IO = 401
PHASE_NONE = 0
PHASE_DNS = 1
PHASE_CONNECT = 2
PHASE_TLS = 3
PHASE_TIMEOUT = 4
PHASE_HTTP = 5
REMOVE_DRAIN = 0
REMOVE_DROP = 1
STATUS_FAILED = 0
STATUS_ALL = 1
REPORT_DELIVERED = 1
REPORT_RETRYING = 2
REPORT_DROPPED = 3
REPORT_STATE = 4
REPORT_TICKET = 5
REPORT_OVERFLOW = 6
REPORT_LOG = 7
REPORT_DEAD_LETTERED = 8
REPORT_SPOOL = 9
REPORT_ENDPOINT = 10
REPORT_LIMIT = 11
REACHED_NO = 0
REACHED_MAYBE = 1
REACHED_YES = 2
REASON_NONE = 0
REASON_EXPIRED = 1
REASON_QUOTA = 2
REASON_REMOVED = 3
REASON_CLOSED = 4
REASON_UNREADABLE = 5
REASON_SALVAGED = 6
REASON_DEAD_LETTER_QUOTA = 7
REASON_DEAD_LETTER_AGE = 8
REASON_PURGED = 9
REASON_UNSECURED = 10
REASON_REFUSED = 11
TIMING_DNS = 0
TIMING_CONNECT = 1
TIMING_TLS = 2
TIMING_FIRST_BYTE = 3
TIMING_TOTAL = 4
GRANT_VIEW = 1
GRANT_MODIFY = 2
LOG_ERROR = 1
LOG_WARNING = 2
LOG_INFO = 3
LOG_DEBUG = 4
