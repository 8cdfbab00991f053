-- Made from include/posthaste/posthaste.h by scripts/generate_bindings.py; not edited.
local declarations = {}

declarations.cdef = [[
typedef struct posthaste_opaque posthaste_t;
typedef struct posthaste_conf_opaque posthaste_conf_t;
typedef struct posthaste_error_opaque posthaste_error_t;
typedef struct posthaste_webhook_opaque posthaste_webhook_t;
typedef struct posthaste_webhook_list_opaque posthaste_webhook_list_t;
typedef struct posthaste_event_opaque posthaste_event_t;
typedef struct posthaste_report_opaque posthaste_report_t;
typedef struct posthaste_text_opaque posthaste_text_t;
typedef struct posthaste_filter_opaque posthaste_filter_t;
typedef struct posthaste_request_opaque posthaste_request_t;
typedef struct posthaste_response_opaque posthaste_response_t;
typedef int32_t (*posthaste_write_fn)(const char* data, size_t size, void* user_data);
typedef void (*posthaste_log_fn)(int32_t level, const char* line, void* user_data);
const char* posthaste_version(void);
const char* posthaste_error_name(int32_t code);
const char* posthaste_strerror(int32_t code);
posthaste_error_t* posthaste_error_new(void);
void posthaste_error_free(posthaste_error_t* error);
int32_t posthaste_error_code(const posthaste_error_t* error);
const char* posthaste_error_message(const posthaste_error_t* error);
const char* posthaste_error_key(const posthaste_error_t* error);
void posthaste_error_set(posthaste_error_t* error, int32_t code, const char* message, const char* key);
int32_t posthaste_error_phase(const posthaste_error_t* error);
const char* posthaste_error_network_name(const posthaste_error_t* error);
int32_t posthaste_error_status(const posthaste_error_t* error);
size_t posthaste_error_header_count(const posthaste_error_t* error);
const char* posthaste_error_header_name(const posthaste_error_t* error, size_t index);
const char* posthaste_error_header_value(const posthaste_error_t* error, size_t index);
const char* posthaste_error_body(const posthaste_error_t* error, size_t* out_size);
const char* posthaste_text_data(const posthaste_text_t* text);
size_t posthaste_text_size(const posthaste_text_t* text);
void posthaste_text_free(posthaste_text_t* text);
posthaste_text_t* posthaste_text_new(const char* data, size_t size);
posthaste_conf_t* posthaste_conf_new(void);
void posthaste_conf_free(posthaste_conf_t* conf);
posthaste_conf_t* posthaste_conf_copy(const posthaste_conf_t* conf);
int32_t posthaste_conf_set(posthaste_conf_t* conf, const char* key, const char* value, posthaste_error_t* error);
const char* posthaste_conf_get(const posthaste_conf_t* conf, const char* key);
int32_t posthaste_conf_describe(const char* key, posthaste_text_t** out, posthaste_error_t* error);
int32_t posthaste_new(const posthaste_conf_t* conf, posthaste_t** out, posthaste_error_t* error);
int32_t posthaste_start(posthaste_t* ph, posthaste_error_t* error);
int32_t posthaste_close(posthaste_t* ph, int32_t timeout_ms, posthaste_error_t* error);
int32_t posthaste_close_ticket(posthaste_t* ph, int32_t timeout_ms, uint64_t* out_ticket, posthaste_error_t* error);
void posthaste_free(posthaste_t* ph);
int32_t posthaste_set(posthaste_t* ph, const char* key, const char* value, posthaste_error_t* error);
int32_t posthaste_get(const posthaste_t* ph, const char* key, posthaste_text_t** out, posthaste_error_t* error);
posthaste_webhook_t* posthaste_webhook_new(void);
void posthaste_webhook_free(posthaste_webhook_t* webhook);
posthaste_webhook_t* posthaste_webhook_copy(const posthaste_webhook_t* webhook);
int32_t posthaste_webhook_set(posthaste_webhook_t* webhook, const char* key, const char* value, posthaste_error_t* error);
int32_t posthaste_webhook_set_json(posthaste_webhook_t* webhook, const char* json, size_t size, posthaste_error_t* error);
const char* posthaste_webhook_get(const posthaste_webhook_t* webhook, const char* key);
int32_t posthaste_webhook_json(const posthaste_webhook_t* webhook, posthaste_text_t** out);
int32_t posthaste_create(posthaste_t* ph, const posthaste_webhook_t* webhook, int32_t timeout_ms, posthaste_webhook_t** out, posthaste_error_t* error);
int32_t posthaste_create_ticket(posthaste_t* ph, const posthaste_webhook_t* webhook, uint64_t* out_ticket, posthaste_error_t* error);
int32_t posthaste_put(posthaste_t* ph, const char* id, const posthaste_webhook_t* webhook, posthaste_error_t* error);
int32_t posthaste_update(posthaste_t* ph, const char* id, const posthaste_webhook_t* webhook, int32_t timeout_ms, posthaste_error_t* error);
int32_t posthaste_update_ticket(posthaste_t* ph, const char* id, const posthaste_webhook_t* webhook, uint64_t* out_ticket, posthaste_error_t* error);
int32_t posthaste_remove(posthaste_t* ph, const char* id, int32_t how, posthaste_error_t* error);
int32_t posthaste_pause(posthaste_t* ph, const char* id, posthaste_error_t* error);
int32_t posthaste_resume(posthaste_t* ph, const char* id, posthaste_error_t* error);
int32_t posthaste_verify(posthaste_t* ph, const char* id, int32_t timeout_ms, posthaste_error_t* error);
int32_t posthaste_verify_ticket(posthaste_t* ph, const char* id, uint64_t* out_ticket, posthaste_error_t* error);
int32_t posthaste_find(const posthaste_t* ph, const char* id, posthaste_webhook_t** out, posthaste_error_t* error);
int32_t posthaste_list(const posthaste_t* ph, posthaste_webhook_list_t** out, posthaste_error_t* error);
size_t posthaste_webhook_list_count(const posthaste_webhook_list_t* list);
const posthaste_webhook_t* posthaste_webhook_list_at(const posthaste_webhook_list_t* list, size_t index);
void posthaste_webhook_list_free(posthaste_webhook_list_t* list);
int32_t posthaste_load(posthaste_t* ph, const char* path, posthaste_text_t** out, posthaste_error_t* error);
int32_t posthaste_define_type(posthaste_t* ph, const char* type, const char* event_class, posthaste_error_t* error);
int32_t posthaste_wants(const posthaste_t* ph, const char* type);
int32_t posthaste_push(posthaste_t* ph, const char* type, const char* payload, size_t size);
int32_t posthaste_push_trusted(posthaste_t* ph, const char* type, const char* payload, size_t size);
int32_t posthaste_push_enveloped(posthaste_t* ph, const char* record, size_t size);
int32_t posthaste_push_many(posthaste_t* ph, const char* type, const char* lines, size_t size, size_t* out_consumed, int32_t* out_codes, size_t codes_count);
int32_t posthaste_check(const posthaste_t* ph, const char* type, const char* payload, size_t size, posthaste_error_t* error);
posthaste_event_t* posthaste_event_new(const char* type);
void posthaste_event_free(posthaste_event_t* event);
int32_t posthaste_event_reset(posthaste_event_t* event, const char* type);
int32_t posthaste_event_set(posthaste_event_t* event, const char* key, const char* value);
int32_t posthaste_event_set_text(posthaste_event_t* event, const char* key, const char* value, size_t size);
int32_t posthaste_event_set_int(posthaste_event_t* event, const char* key, int64_t value);
int32_t posthaste_event_set_double(posthaste_event_t* event, const char* key, double value);
int32_t posthaste_event_set_bool(posthaste_event_t* event, const char* key, int32_t value);
int32_t posthaste_event_set_json(posthaste_event_t* event, const char* key, const char* json, size_t size);
int32_t posthaste_event_begin_object(posthaste_event_t* event, const char* key);
int32_t posthaste_event_begin_array(posthaste_event_t* event, const char* key);
int32_t posthaste_event_end(posthaste_event_t* event);
int32_t posthaste_event_mark(posthaste_event_t* event);
int32_t posthaste_event_rewind(posthaste_event_t* event);
int32_t posthaste_event_check(const posthaste_event_t* event, posthaste_error_t* error);
int32_t posthaste_event_json(const posthaste_event_t* event, posthaste_text_t** out, posthaste_error_t* error);
int32_t posthaste_push_event(posthaste_t* ph, const posthaste_event_t* event);
int32_t posthaste_flush(posthaste_t* ph, int32_t timeout_ms, posthaste_error_t* error);
int32_t posthaste_flush_ticket(posthaste_t* ph, uint64_t* out_ticket, posthaste_error_t* error);
int32_t posthaste_sync(posthaste_t* ph, int32_t timeout_ms, posthaste_error_t* error);
int32_t posthaste_sync_ticket(posthaste_t* ph, uint64_t* out_ticket, posthaste_error_t* error);
int32_t posthaste_open_batch(const posthaste_t* ph, const char* id, uint64_t* out_events, uint64_t* out_bytes, posthaste_error_t* error);
int32_t posthaste_batch_status(const posthaste_t* ph, const char* id, size_t limit, int32_t which, posthaste_text_t** out, posthaste_error_t* error);
int32_t posthaste_retry_now(posthaste_t* ph, const char* id, posthaste_error_t* error);
posthaste_filter_t* posthaste_filter_new(void);
void posthaste_filter_free(posthaste_filter_t* filter);
int32_t posthaste_filter_set(posthaste_filter_t* filter, const char* key, const char* value, posthaste_error_t* error);
int32_t posthaste_waiting_list(const posthaste_t* ph, const posthaste_filter_t* filter, uint64_t after, size_t limit, posthaste_text_t** out, posthaste_error_t* error);
int32_t posthaste_waiting_find(const posthaste_t* ph, const char* batch_id, posthaste_text_t** out, posthaste_error_t* error);
int32_t posthaste_dead_letter_list(const posthaste_t* ph, const posthaste_filter_t* filter, uint64_t after, size_t limit, posthaste_text_t** out, posthaste_error_t* error);
int32_t posthaste_dead_letter_find(const posthaste_t* ph, const char* batch_id, posthaste_text_t** out, posthaste_error_t* error);
int32_t posthaste_dead_letter_replay(posthaste_t* ph, const posthaste_filter_t* filter, int32_t timeout_ms, uint64_t* out_count, posthaste_error_t* error);
int32_t posthaste_dead_letter_remove(posthaste_t* ph, const posthaste_filter_t* filter, int32_t timeout_ms, uint64_t* out_count, posthaste_error_t* error);
int32_t posthaste_purge(posthaste_t* ph, const char* id, int32_t timeout_ms, uint64_t* out_batches, uint64_t* out_events, posthaste_error_t* error);
int32_t posthaste_batch_export(const posthaste_t* ph, const char* batch_id, uint64_t* out_events, posthaste_error_t* error, posthaste_write_fn write, void* user_data);
int32_t posthaste_spool_check(const posthaste_t* ph, int32_t timeout_ms, posthaste_text_t** out, posthaste_error_t* error);
int32_t posthaste_poll(posthaste_t* ph, int32_t timeout_ms, posthaste_report_t** out);
int32_t posthaste_report_fd(const posthaste_t* ph);
void posthaste_report_free(posthaste_report_t* report);
int32_t posthaste_report_kind(const posthaste_report_t* report);
const char* posthaste_report_kind_name(int32_t kind);
const char* posthaste_report_webhook_id(const posthaste_report_t* report);
const char* posthaste_report_batch_id(const posthaste_report_t* report);
const char* posthaste_report_message(const posthaste_report_t* report);
uint64_t posthaste_report_ticket(const posthaste_report_t* report);
int32_t posthaste_report_code(const posthaste_report_t* report);
int32_t posthaste_report_reason(const posthaste_report_t* report);
int32_t posthaste_report_reached(const posthaste_report_t* report);
int32_t posthaste_report_status(const posthaste_report_t* report);
const char* posthaste_report_network_name(const posthaste_report_t* report);
uint32_t posthaste_report_attempts(const posthaste_report_t* report);
uint64_t posthaste_report_events(const posthaste_report_t* report);
uint64_t posthaste_report_count(const posthaste_report_t* report);
uint64_t posthaste_report_bytes(const posthaste_report_t* report);
int64_t posthaste_report_time_ms(const posthaste_report_t* report);
int64_t posthaste_report_next_try_ms(const posthaste_report_t* report);
uint64_t posthaste_report_timing_us(const posthaste_report_t* report, int32_t which);
int32_t posthaste_report_level(const posthaste_report_t* report);
int32_t posthaste_report_json(const posthaste_report_t* report, posthaste_text_t** out);
int32_t posthaste_report_error(const posthaste_report_t* report, posthaste_error_t* error);
posthaste_request_t* posthaste_request_new(const char* method, const char* target);
void posthaste_request_free(posthaste_request_t* request);
int32_t posthaste_request_add_header(posthaste_request_t* request, const char* name, const char* value);
int32_t posthaste_request_set_body(posthaste_request_t* request, const char* body, size_t size);
int32_t posthaste_request_set_peer(posthaste_request_t* request, const char* address);
int32_t posthaste_request_set_scheme(posthaste_request_t* request, const char* scheme);
const char* posthaste_request_method(const posthaste_request_t* request);
const char* posthaste_request_target(const posthaste_request_t* request);
const char* posthaste_request_peer(const posthaste_request_t* request);
size_t posthaste_request_header_count(const posthaste_request_t* request);
const char* posthaste_request_header_name(const posthaste_request_t* request, size_t index);
const char* posthaste_request_header_value(const posthaste_request_t* request, size_t index);
const char* posthaste_request_body(const posthaste_request_t* request, size_t* out_size);
int32_t posthaste_request_set_identity(posthaste_request_t* request, int32_t grant, int64_t subaccount);
int32_t posthaste_api_handle(posthaste_t* ph, const posthaste_request_t* request, int32_t timeout_ms, posthaste_response_t** out, posthaste_error_t* error);
int32_t posthaste_api_handle_ticket(posthaste_t* ph, const posthaste_request_t* request, uint64_t* out_ticket, posthaste_error_t* error);
int32_t posthaste_report_response(posthaste_report_t* report, posthaste_response_t** out);
int32_t posthaste_response_status(const posthaste_response_t* response);
size_t posthaste_response_header_count(const posthaste_response_t* response);
const char* posthaste_response_header_name(const posthaste_response_t* response, size_t index);
const char* posthaste_response_header_value(const posthaste_response_t* response, size_t index);
const char* posthaste_response_body(const posthaste_response_t* response, size_t* out_size);
void posthaste_response_free(posthaste_response_t* response);
posthaste_response_t* posthaste_response_new(int32_t status);
int32_t posthaste_response_add_header(posthaste_response_t* response, const char* name, const char* value);
int32_t posthaste_response_set_body(posthaste_response_t* response, const char* body, size_t size);
int32_t posthaste_key_create(posthaste_t* ph, const char* name, int32_t grant, int64_t subaccount, posthaste_text_t** out, posthaste_error_t* error);
int32_t posthaste_key_put(posthaste_t* ph, const char* name, const char* key, int32_t grant, int64_t subaccount, posthaste_text_t** out, posthaste_error_t* error);
int32_t posthaste_key_list(const posthaste_t* ph, posthaste_text_t** out, posthaste_error_t* error);
int32_t posthaste_key_revoke(posthaste_t* ph, const char* id, posthaste_error_t* error);
int32_t posthaste_stats_json(const posthaste_t* ph, posthaste_text_t** out);
int32_t posthaste_set_log(posthaste_t* ph, posthaste_log_fn fn, void* user_data);
int32_t posthaste_log(posthaste_t* ph, int32_t level, const char* line);
]]

declarations.constants = {
  OK = 0,
  E_INVALID = 1,
  E_STATE = 2,
  E_FORKED = 3,
  E_NO_MEMORY = 4,
  E_TIMEOUT = 5,
  E_EMPTY = 6,
  E_QUEUE_FULL = 7,
  E_INTERNAL = 8,
  E_SYSTEM = 9,
  E_TLS_BACKEND = 10,
  E_UNSUPPORTED = 11,
  E_UNKNOWN_KEY = 100,
  E_BAD_VALUE = 101,
  E_NOT_CHANGEABLE = 102,
  E_NOT_FOUND = 200,
  E_EXISTS = 201,
  E_VERIFY_FAILED = 202,
  E_BAD_TARGET = 203,
  E_BAD_EVENTS = 204,
  E_BAD_HEADER = 205,
  E_MISSING_FIELD = 206,
  E_BAD_FILE = 207,
  E_BAD_JSON = 300,
  E_BAD_UTF8 = 301,
  E_UNKNOWN_TYPE = 302,
  E_TYPE_MISMATCH = 303,
  E_TOO_LARGE = 304,
  E_TOO_DEEP = 305,
  E_DUPLICATE_KEY = 306,
  E_BAD_FIELD = 307,
  E_SPOOL_FULL = 400,
  E_SPOOL_IO = 401,
  PHASE_NONE = 0,
  PHASE_DNS = 1,
  PHASE_CONNECT = 2,
  PHASE_TLS = 3,
  PHASE_TIMEOUT = 4,
  PHASE_HTTP = 5,
  REMOVE_DRAIN = 0,
  REMOVE_DROP = 1,
  STATUS_FAILED = 0,
  STATUS_ALL = 1,
  REPORT_DELIVERED = 1,
  REPORT_RETRYING = 2,
  REPORT_DROPPED = 3,
  REPORT_STATE = 4,
  REPORT_TICKET = 5,
  REPORT_OVERFLOW = 6,
  REPORT_LOG = 7,
  REPORT_DEAD_LETTERED = 8,
  REPORT_SPOOL = 9,
  REPORT_ENDPOINT = 10,
  REPORT_LIMIT = 11,
  REACHED_NO = 0,
  REACHED_MAYBE = 1,
  REACHED_YES = 2,
  REASON_NONE = 0,
  REASON_EXPIRED = 1,
  REASON_QUOTA = 2,
  REASON_REMOVED = 3,
  REASON_CLOSED = 4,
  REASON_UNREADABLE = 5,
  REASON_SALVAGED = 6,
  REASON_DEAD_LETTER_QUOTA = 7,
  REASON_DEAD_LETTER_AGE = 8,
  REASON_PURGED = 9,
  REASON_UNSECURED = 10,
  REASON_REFUSED = 11,
  TIMING_DNS = 0,
  TIMING_CONNECT = 1,
  TIMING_TLS = 2,
  TIMING_FIRST_BYTE = 3,
  TIMING_TOTAL = 4,
  GRANT_VIEW = 1,
  GRANT_MODIFY = 2,
  LOG_ERROR = 1,
  LOG_WARNING = 2,
  LOG_INFO = 3,
  LOG_DEBUG = 4,
}

return declarations
