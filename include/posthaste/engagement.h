/*
 * Posthaste's tracking links: opens, clicks and unsubscriptions of the mail that a host sends.
 *
 * A third, optional library, libposthaste_engagement. It makes signed URLs that tell which message
 * and recipient they belong to, puts them into HTML, and turns the requests that come for them into
 * open, initial_open, click, link_unsubscribe and list_unsubscribe events. Nothing is stored: what
 * an event needs stands in the link, signed with HMAC-SHA256. It opens no port: the host's own HTTP
 * server hands requests over, or that of libposthaste_admin (posthaste_admin_conf_mount). The rules
 * of posthaste.h hold here too: null pointers, errors, strings, out parameters.
 *
 * Who has a link can read its context, so a context has nothing that the recipient may not see.
 * Nobody can make or change one without a key: such a link is answered 404, and no URL leads
 * anywhere but to the target that was signed.
 *
 * docs/engagement.md tells what is rewritten, which request becomes which event with which fields,
 * and how first opens are told from repeated ones.
 */
#ifndef POSTHASTE_ENGAGEMENT_H
#define POSTHASTE_ENGAGEMENT_H

#include <posthaste/posthaste.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A set of keys and the address that links begin with. */
typedef struct posthaste_engagement posthaste_engagement_t;
/* Its configuration: string keys and values. */
typedef struct posthaste_engagement_conf posthaste_engagement_conf_t;

/*
 * Makes a configuration:
 *
 * url (needed): what links begin with, such as `https://links.example.com` or
 * `https://example.com/mail`; `/t/` and the signed part follow.
 * keys (needed): up to 8 keys separated by commas, each of 20 to 256 printable ASCII characters
 * without a space. The first signs, all verify: a new key goes to the front, an old one is taken
 * out when its links may stop to work. Reads back as `****`.
 * url.max_length (2000): of a link. One that would be longer carries only message_id,
 * transmission_id, rcpt_to, customer_id, subaccount_id, campaign_id, template_id and
 * template_version of its context; one that is too long even so is not made.
 * seen.max (131072): how many messages' first opens are remembered, some 18 bytes each.
 * proxies (empty): addresses of reverse proxies, separated by commas, whose X-Forwarded-For is
 * believed.
 *
 * Returns: null when memory is short. Owns: the caller, who frees it. Threads: one at a time.
 */
POSTHASTE_API posthaste_engagement_conf_t* posthaste_engagement_conf_new(void);
/* Frees it; null is allowed. */
POSTHASTE_API void posthaste_engagement_conf_free(posthaste_engagement_conf_t* conf);
/*
 * Sets one key. value: null restores the default. Returns: POSTHASTE_E_UNKNOWN_KEY or
 * POSTHASTE_E_BAD_VALUE, with an error that names the key.
 */
POSTHASTE_API int32_t posthaste_engagement_conf_set(posthaste_engagement_conf_t* conf,
                                                    const char* key, const char* value,
                                                    posthaste_error_t* error);
/* Returns a key's value as it was set, or its default; lives until the key is set again; null for
 * an unknown key. */
POSTHASTE_API const char* posthaste_engagement_conf_get(const posthaste_engagement_conf_t* conf,
                                                        const char* key);

/*
 * Makes one. conf: copied. It has no thread and no file, belongs to no engine, and works on in a
 * forked child. Returns: POSTHASTE_E_MISSING_FIELD when url or keys are missing. Owns: the caller
 * frees `*out`.
 */
POSTHASTE_API int32_t posthaste_engagement_new(const posthaste_engagement_conf_t* conf,
                                               posthaste_engagement_t** out,
                                               posthaste_error_t* error);
/* Frees it; null is allowed. All calls on it must have returned. */
POSTHASTE_API void posthaste_engagement_free(posthaste_engagement_t* engagement);

/* What a link is for. Values stand in links and never change. */
enum {
  POSTHASTE_LINK_CLICK = 1,            /* a click event, then a redirect to the target */
  POSTHASTE_LINK_UNSUBSCRIBE = 2,      /* a link_unsubscribe event, then a redirect */
  POSTHASTE_LINK_LIST_UNSUBSCRIBE = 3, /* a list_unsubscribe event, by POST (RFC 8058) */
  POSTHASTE_LINK_OPEN = 4,             /* the pixel at the bottom: an open event */
  POSTHASTE_LINK_INITIAL_OPEN = 5      /* the pixel at the top: an initial_open event */
};

/*
 * Makes one URL. kind: POSTHASTE_LINK_*. context: a JSON object of event fields, such as message_id
 * and rcpt_to, as they are pushed in the message's other events; fields that no engagement event
 * has are left out, so an injection event serves (posthaste_event_json). target: where it leads, an
 * absolute http or https URL; for CLICK and UNSUBSCRIBE only, else null. name: the link's
 * target_link_name; may be null. The same arguments make the same URL. Returns:
 * POSTHASTE_E_BAD_JSON, POSTHASTE_E_BAD_FIELD and the like for the context,
 * POSTHASTE_E_BAD_TARGET, POSTHASTE_E_TOO_LARGE. Owns: the caller frees `*out`. Threads: any.
 */
POSTHASTE_API int32_t posthaste_engagement_url(const posthaste_engagement_t* engagement,
                                               int32_t kind, const char* context,
                                               const char* target, const char* name,
                                               posthaste_text_t** out, posthaste_error_t* error);

/* What posthaste_engagement_rewrite puts in. */
enum {
  POSTHASTE_REWRITE_LINKS = 1,        /* tracked links */
  POSTHASTE_REWRITE_OPEN = 2,         /* the pixel before </body> */
  POSTHASTE_REWRITE_INITIAL_OPEN = 4, /* the pixel behind <body> */
  POSTHASTE_REWRITE_ALL = 7
};

/*
 * Puts links and pixels into an HTML text for one message and recipient. html: `size` bytes in any
 * charset that has ASCII at its place, decoded of its transfer encoding. context: as above. parts:
 * POSTHASTE_REWRITE_* added up. A second run with the same arguments changes nothing. Lines may
 * become longer than SMTP allows: encode the part anew. Text parts are not for this: there a URL is
 * what the reader sees. Returns: as above, but for the targets, which are the text's. Owns: the
 * caller frees `*out`. Threads: any.
 */
POSTHASTE_API int32_t posthaste_engagement_rewrite(const posthaste_engagement_t* engagement,
                                                   const char* html, size_t size,
                                                   const char* context, int32_t parts,
                                                   posthaste_text_t** out,
                                                   posthaste_error_t* error);

/*
 * Answers a request for a link and pushes its event. request: method, target, headers, peer and, of
 * a POST, the body. Every answer is an answer, 404 for what is no link of these keys too, and
 * POSTHASTE_OK. An event that cannot be queued is lost with a line in the log, and the visitor is
 * answered all the same; but one-click unsubscriptions are answered 503 then, and 200 only when
 * posthaste_sync said, within timeout_ms, that the event is on disk (in memory mode: when it is
 * queued). The body of the answer is for the server to leave out when the method is HEAD. Owns: the
 * caller frees `*out`. Threads: any. Blocks: up to timeout_ms, and only there.
 */
POSTHASTE_API int32_t posthaste_engagement_handle(posthaste_engagement_t* engagement,
                                                  posthaste_t* ph,
                                                  const posthaste_request_t* request,
                                                  int32_t timeout_ms, posthaste_response_t** out,
                                                  posthaste_error_t* error);

#ifdef __cplusplus
}
#endif

#endif /* POSTHASTE_ENGAGEMENT_H */
