// The REST API. The key lives in this tab's sessionStorage and goes nowhere but into the
// Authorization header of requests to this very server.

const KEY = "posthaste.key";

export class ApiError extends Error {
  constructor(status, errors) {
    const first = errors[0] || {};
    const message = first.message || `HTTP ${status}`;
    super(first.description && first.description !== message ? `${message}: ${first.description}` : message);
    this.status = status;
    this.details = first;
  }
}

export const hasKey = () => sessionStorage.getItem(KEY) !== null;
export const clearKey = () => sessionStorage.removeItem(KEY);

// Set by the application: what to do when the key is not taken any more.
export const hooks = { unauthorized: () => {} };

async function read(response) {
  const text = await response.text();
  if (!text) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function send(key, method, path, body) {
  let response;
  try {
    response = await fetch(`/api/v1/${path}`, {
      method,
      cache: "no-store",
      credentials: "omit",
      headers: {
        Authorization: key,
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new ApiError(0, [{ message: "The server cannot be reached" }]);
  }
  const answer = await read(response);
  if (response.ok) return answer ? answer.results : null;
  const error = new ApiError(response.status, (answer && answer.errors) || []);
  if (response.status === 403 && error.message === "Forbidden") error.message = "This key may look, but not change anything";
  throw error;
}

// Keeps the key if the server takes it.
export async function logIn(key) {
  await send(key, "GET", "webhooks");
  sessionStorage.setItem(KEY, key);
}

export async function call(method, path, body) {
  try {
    return await send(sessionStorage.getItem(KEY) || "", method, path, body);
  } catch (error) {
    if (error.status === 401) hooks.unauthorized();
    throw error;
  }
}

const at = (id, rest = "") => `webhooks/${encodeURIComponent(id)}${rest}`;

export const listWebhooks = () => call("GET", "webhooks");
export const getWebhook = (id) => call("GET", at(id));
// With detail=true answers about a test request show both sides of it.
export const createWebhook = (body) => call("POST", "webhooks?detail=true", body);
export const updateWebhook = (id, body) => call("PUT", at(id, "?detail=true"), body);
export const deleteWebhook = (id, drop) => call("DELETE", at(id, drop ? "?queued=drop" : ""));
export const testWebhook = (id, message) => call("POST", at(id, "/validate?detail=true"), { message });
export const act = (id, verb) => call("POST", at(id, `/${verb}`));
export const attempts = (id) => call("GET", at(id, "/attempts?limit=1000"));
export const stats = () => call("GET", "stats");
export const deadLetters = (query) => call("GET", `dead-letters?${new URLSearchParams(query)}`);
export const deadLetter = (id) => call("GET", `dead-letters/${encodeURIComponent(id)}`);
export const replay = (id) => call("POST", `dead-letters/${encodeURIComponent(id)}/replay`);
export const replayAll = (filter) => call("POST", "dead-letters/replay", filter);
export const dropLetter = (id) => call("DELETE", `dead-letters/${encodeURIComponent(id)}`);
export const samples = (types) => call("GET", `webhooks/events/samples?events=${encodeURIComponent(types)}`);

export const settings = () => call("GET", "settings");

// What does not change while the server runs.
const kept = new Map();
const once = (path) => {
  if (!kept.has(path)) kept.set(path, call("GET", path).catch((error) => { kept.delete(path); throw error; }));
  return kept.get(path);
};
export const documentation = () => once("webhooks/events/documentation");
