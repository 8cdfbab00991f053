// The badge of a webhook over the last 24 hours, as the original has it, and its state beside it.
import { el } from "./dom.js";
import { parseTime } from "./format.js";

const DAY = 24 * 3600 * 1000;

export function badgeOf(webhook, now = Date.now()) {
  const failed = parseTime(webhook.last_failure);
  if (failed !== null && now - failed < DAY) return "failed";
  return parseTime(webhook.last_successful) === null ? "pending" : "ok";
}

const TEXTS = { failed: ["Failed", "At least one batch failed in the last 24 hours"],
  ok: ["OK", "All batches of the last 24 hours were delivered"],
  pending: ["Pending", "No batch was sent yet"] };

export function badge(webhook) {
  const kind = badgeOf(webhook);
  const [text, title] = TEXTS[kind];
  return el("span", { class: `badge ${kind}`, title }, text);
}

export function stateBadge(state) {
  if (!state || state === "active") return null;
  return el("span", { class: `badge state-${state}`, title: `This webhook is ${state}` }, state);
}
