// An HTTP request and its answer as raw text.
import { el } from "./dom.js";

const REASONS = { 200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 301: "Moved Permanently", 302: "Found",
  400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 410: "Gone",
  413: "Payload Too Large", 415: "Unsupported Media Type", 429: "Too Many Requests", 500: "Internal Server Error",
  502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout" };

const lines = (headers) => Object.entries(headers || {}).map(([name, value]) => `${name}: ${value}`);

export function requestText(request) {
  let path = request.url;
  try {
    const url = new URL(request.url);
    path = url.pathname + url.search;
  } catch { /* Shown as it is. */ }
  return [`${request.method} ${path} HTTP/1.1`, ...lines(request.headers), "", request.body].join("\n");
}

export function responseText(response) {
  const reason = REASONS[response.status] || "";
  return [`HTTP ${response.status} ${reason}`.trimEnd(), ...lines(response.headers), "", response.body].join("\n");
}

export function raw(title, text, kind = "") {
  return el("section", { class: `raw ${kind}` }, el("h3", null, title), el("pre", { tabindex: "0" }, text));
}

// What is known of a failed verification: both sides, or that there was no answer.
export function failedExchange(details) {
  const parts = [];
  if (details.request) parts.push(raw("Request that was sent", requestText(details.request)));
  if (details.response) parts.push(raw("Response", responseText(details.response), "bad"));
  else parts.push(raw("Response", `No HTTP response${details.code ? `: ${details.code}` : ""}${details.phase ? `, in phase ${details.phase}` : ""}`, "bad"));
  return parts;
}
