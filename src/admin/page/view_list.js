// All webhooks: badge, target, subscriptions, live figures; search and sort.
import { documentation, listWebhooks } from "./api.js";
import { badge, badgeOf, stateBadge } from "./badge.js";
import { sparkline } from "./chart.js";
import { el, empty, nextId, replace } from "./dom.js";
import { ago, count, exact, parseTime } from "./format.js";
import { subaccountsText } from "./form_subaccounts.js";
import * as live from "./live.js";

const REFRESH_MS = 10000;
const SHOWN_EVENTS = 4;

const SORTS = {
  name: ["Name", (a, b) => a.name.localeCompare(b.name)],
  state: ["Trouble first", (a, b) => RANK[badgeOf(a)] - RANK[badgeOf(b)] || a.name.localeCompare(b.name)],
  waiting: ["Most waiting", (a, b) => waiting(b) - waiting(a)],
  rate: ["Busiest", (a, b) => rate(b) - rate(a)],
  success: ["Latest success", (a, b) => (parseTime(b.last_successful) || 0) - (parseTime(a.last_successful) || 0)],
  failure: ["Latest failure", (a, b) => (parseTime(b.last_failure) || 0) - (parseTime(a.last_failure) || 0)],
};
const RANK = { failed: 0, pending: 1, ok: 2 };

let sample = null;
const figures = (webhook) => live.statsOf(sample, webhook.id);
const waiting = (webhook) => { const f = figures(webhook); return f ? f.waiting.batches : 0; };
const rate = (webhook) => live.rate(webhook.id) || 0;

// Kept while the tab lives, so that coming back finds the list as it was.
const view = { search: "", sort: "name" };

export function displayNames(groups) {
  const names = new Map();
  for (const group of Object.values(groups || {})) {
    for (const [type, event] of Object.entries(group.events)) names.set(type, event.display_name);
  }
  return names;
}

export function subscriptions(webhook, names, most = SHOWN_EVENTS) {
  if (webhook.events.length >= names.size && names.size > 0) return "All event types";
  const all = webhook.events.map((type) => names.get(type) || type);
  const rest = all.length - most;
  const text = rest > 1 ? `${all.slice(0, most).join(", ")} and ${rest} more` : all.join(", ");
  return el("span", { title: rest > 1 ? all.join(", ") : null }, text);
}

export function when(text, none) {
  const time = parseTime(text);
  return time === null ? el("span", { class: "muted" }, none) : el("time", { datetime: new Date(time).toISOString(), title: exact(time) }, ago(time));
}

function drawFigures(cells, webhook) {
  const now = figures(webhook);
  const perMinute = live.rates(webhook.id);
  replace(cells.chart, sparkline(perMinute), el("span", { class: "figure" }, perMinute.length ? `${count(Math.round(rate(webhook)))}/min` : "…"));
  const batches = now ? now.waiting.batches : 0;
  replace(cells.waiting, el("span", { class: batches > 0 ? "figure warn" : "figure" }, now ? count(batches) : "…"));
}

function row(webhook, names, cells) {
  cells.chart = el("td", { class: "chart", "data-label": "Events per minute" });
  cells.waiting = el("td", { class: "number", "data-label": "Waiting batches" });
  drawFigures(cells, webhook);
  const href = `#/webhooks/${encodeURIComponent(webhook.id)}`;
  return el("tr", null,
    el("td", { class: "who", "data-label": "Webhook" },
      el("div", { class: "title" }, badge(webhook), stateBadge(webhook.state), el("a", { href }, webhook.name)),
      el("div", { class: "target" }, webhook.target),
      el("div", { class: "muted small" }, "Subscribed to: ", subscriptions(webhook, names)),
      subaccountsText(webhook) && el("div", { class: "muted small" }, subaccountsText(webhook))),
    cells.chart, cells.waiting,
    el("td", { "data-label": "Last success" }, when(webhook.last_successful, "never")),
    el("td", { "data-label": "Last failure" }, when(webhook.last_failure, "never")));
}

function found(webhook, words) {
  const text = `${webhook.name} ${webhook.target} ${webhook.events.join(" ")} ${subaccountsText(webhook) || ""} ${webhook.id}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

function tools(redraw) {
  const search = el("input", { type: "search", placeholder: "Search name, target, event …", "aria-label": "Search webhooks", value: view.search,
    oninput: () => { view.search = search.value; redraw(); } });
  const id = nextId();
  const sort = el("select", { id, onchange: () => { view.sort = sort.value; redraw(); } },
    Object.entries(SORTS).map(([key, [text]]) => el("option", { value: key, selected: key === view.sort }, text)));
  return el("div", { class: "tools" }, search, el("label", { class: "inline", for: id }, "Sort by"), sort);
}

export async function showList(root) {
  let [webhooks, groups] = await Promise.all([listWebhooks(), documentation().catch(() => null)]);
  const names = displayNames(groups);
  const rows = new Map();
  const body = el("tbody");
  const table = el("table", { class: "list" },
    el("caption", { class: "hidden" }, "Webhooks"),
    el("thead", null, el("tr", null, ["Webhook", "Events per minute", "Waiting batches", "Last success", "Last failure"].map((text) => el("th", { scope: "col" }, text)))), body);
  const none = el("div");

  function redraw() {
    rows.clear();
    const words = view.search.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = webhooks.filter((webhook) => found(webhook, words)).sort(SORTS[view.sort][1]);
    replace(body, shown.map((webhook) => {
      const cells = { webhook };
      rows.set(webhook.id, cells);
      return row(webhook, names, cells);
    }));
    table.hidden = shown.length === 0;
    replace(none, shown.length === 0 && (webhooks.length === 0
      ? empty("No webhooks yet", "A webhook takes events of this mail server to a URL of yours, in batches.", el("a", { class: "button primary", href: "#/new" }, "Create the first one"))
      : empty("Nothing found", "No webhook has all of these words.")));
  }

  const tally = el("p", { class: "muted" });
  replace(root, el("div", { class: "head" }, el("div", null, el("h1", null, "Webhooks"), tally),
    el("a", { class: "button primary", href: "#/new" }, "New webhook")), tools(redraw), table, none);
  const drawTally = () => {
    const failing = webhooks.filter((webhook) => badgeOf(webhook) === "failed").length;
    replace(tally, `${count(webhooks.length)} in all${failing ? `, ${count(failing)} with failures in the last 24 hours` : ""}`);
  };
  drawTally();
  redraw();

  const unwatch = live.watch((next) => {
    sample = next;
    for (const cells of rows.values()) drawFigures(cells, cells.webhook);
  });
  const timer = setInterval(async () => {
    if (document.hidden) return;
    try {
      webhooks = await listWebhooks();
      drawTally();
      if (!body.contains(document.activeElement)) redraw();
    } catch { /* Shown again by the next one that works. */ }
  }, REFRESH_MS);
  return () => { unwatch(); clearInterval(timer); };
}
