// One webhook: what it does now, its batches of the last 24 hours, and what can be done with it.
import * as api from "./api.js";
import { badge, stateBadge } from "./badge.js";
import { dayChart, sparkline } from "./chart.js";
import { attempt, confirmDialog } from "./dialog.js";
import { busy, button, el, empty, failure, loading, nextId, replace, toast } from "./dom.js";
import { bytes, count, exact, milliseconds, parseTime, plural } from "./format.js";
import { subaccountsText } from "./form_subaccounts.js";
import * as live from "./live.js";
import { openTest } from "./test_dialog.js";
import { displayNames, subscriptions, when } from "./view_list.js";

const REFRESH_MS = 5000;
const ROWS_MAX = 200;
const RETRY_PERIOD = "retry.max_age";

const stat = (label, ...value) => el("div", { class: "stat" }, el("dt", null, label), el("dd", null, value));

async function deleteDialog(webhook) {
  const drop = el("input", { type: "checkbox" });
  const table = await api.settings().catch(() => []);
  const usual = table.find((row) => row.key === RETRY_PERIOD);
  const period = (webhook.settings || {})[RETRY_PERIOD] || (usual && usual.value) || "the retry period";
  confirmDialog(`Delete ${webhook.name}?`, [
    el("p", null, "New events are not taken any more from this moment on."),
    el("p", null, `Batches that wait already still go to `, el("code", null, webhook.target), `, until they are delivered or ${period} is over: your endpoint may get data that long.`),
    el("label", { class: "choice" }, drop, "Drop what waits, and send nothing more"),
  ], "Delete webhook", async () => {
    await api.deleteWebhook(webhook.id, drop.checked);
    toast("The webhook was deleted.");
    location.hash = "#/";
  });
}

function actions(webhook, refresh) {
  const isHeld = webhook.state === "paused" || webhook.state === "disabled";
  const verb = (text, name, told) => {
    const node = button(text, () => attempt(node, async () => { await api.act(webhook.id, name); return told; }, refresh));
    return node;
  };
  const removal = button("Delete", () => busy(removal, () => deleteDialog(webhook)), "danger quiet");
  return el("div", { class: "actions" },
    el("a", { class: "button", href: `#/webhooks/${encodeURIComponent(webhook.id)}/edit` }, "Edit"),
    button("Test", () => openTest(webhook)),
    isHeld ? verb("Resume", "resume", "Batches go out again.") : verb("Pause", "pause", "Batches are held back; events are still taken."),
    verb("Retry now", "retry", "What waits is tried at once."),
    removal);
}

function drawStats(box, webhook, sample) {
  const now = live.statsOf(sample, webhook.id);
  const rate = live.rate(webhook.id);
  const number = (value) => (now ? count(value(now)) : "…");
  replace(box, el("dl", { class: "stats" },
    stat("Events per minute", el("span", { class: "big" }, rate === null ? "…" : count(Math.round(rate))), sparkline(live.rates(webhook.id), { width: 240, room: 60 })),
    stat("Waiting", el("span", { class: "big" }, number((f) => f.waiting.batches)), " batches", now && el("small", null, plural(now.waiting.events, "event"))),
    stat("Open batch", el("span", { class: "big" }, number((f) => f.open.events)), " events", now && now.open.events > 0 && el("small", null, bytes(now.open.bytes))),
    stat("Delivered", el("span", { class: "big" }, number((f) => f.events.delivered)), " events", now && el("small", null, plural(now.batches.delivered, "batch", "batches"))),
    stat("Endpoint", el("span", { class: `big health-${now ? now.endpoint.health : "none"}` }, now ? now.endpoint.health : "…"), now && el("small", null, `${plural(now.attempts.failed, "failed attempt")} of ${count(now.attempts.count)}`))));
}

function authentication(webhook) {
  const kinds = [webhook.auth_type !== "none" && webhook.auth_type, webhook.auth_token && "token"].filter(Boolean);
  return kinds.join(" and ") || "none";
}

function facts(webhook, names) {
  return el("dl", { class: "facts" },
    stat("Target", el("code", null, webhook.target)),
    stat("Last success", when(webhook.last_successful, "never")),
    stat("Last failure", when(webhook.last_failure, "never")),
    stat("Created", when(webhook.created, "unknown")),
    stat("Authentication", authentication(webhook)),
    stat("Takes events of", subaccountsText(webhook) || "All subaccounts"),
    stat("ID", el("code", null, webhook.id)),
    el("div", { class: "stat whole" }, el("dt", null, "Subscribed to"), el("dd", null, subscriptions(webhook, names, Infinity))));
}

function batchRow(item) {
  return el("tr", null,
    el("td", { "data-label": "Time" }, el("time", { datetime: item.ts }, exact(item.time))),
    el("td", { "data-label": "Batch" }, el("code", { class: "wrap" }, item.batch_id)),
    el("td", { "data-label": "Status" }, el("span", { class: `badge ${item.failed ? "failed" : "ok"}` }, item.failed ? "Failed" : "Delivered")),
    el("td", { "data-label": "Response" }, item.response_code || item.failure_code || "–"),
    el("td", { "data-label": "Failed attempts", class: "number" }, count(item.attempts)),
    el("td", { "data-label": "Events", class: "number" }, count(item.batch_size)),
    el("td", { "data-label": "Latency", class: "number" }, milliseconds(item.latency)));
}

function batches(items, view, redraw) {
  const isTroubled = (item) => item.failed || item.attempts > 0;
  const shown = items.filter((item) => view.filter === "all" || isTroubled(item));
  const name = nextId();
  const choice = (value, text) => el("label", { class: "choice" },
    el("input", { type: "radio", name, checked: view.filter === value, onchange: () => { view.filter = value; redraw(); } }), text);
  const head = el("div", { class: "tools" }, choice("all", `All (${count(items.length)})`), choice("failed", `With failures (${count(items.filter(isTroubled).length)})`));
  if (shown.length === 0) return [head, empty("No batches", view.filter === "all" ? "Nothing was sent in the last 24 hours." : "No attempt failed in the last 24 hours.")];
  return [head, el("table", { class: "list batches" },
    el("caption", { class: "hidden" }, "Batches of the last 24 hours"),
    el("thead", null, el("tr", null, ["Time", "Batch", "Status", "Response", "Failed attempts", "Events", "Latency"].map((t) => el("th", { scope: "col" }, t)))),
    el("tbody", null, shown.slice(0, ROWS_MAX).map(batchRow))),
  shown.length > ROWS_MAX && el("p", { class: "muted" }, `The newest ${count(ROWS_MAX)} of ${count(shown.length)}.`)];
}

const readItem = (item) => ({ ...item, time: parseTime(item.ts) ?? 0, failed: item.failure_code !== undefined, latency: item.latency || 0 });

export async function showWebhook(root, id) {
  let [webhook, groups] = await Promise.all([api.getWebhook(id), api.documentation().catch(() => null)]);
  const names = displayNames(groups);
  const view = { filter: "all" };
  let items = null;
  const boxes = { head: el("div"), stats: el("section", { class: "card", "aria-label": "Live figures" }), facts: el("section", { class: "card", "aria-label": "Settings" }),
    chart: el("div"), list: el("div") };

  function drawHead() {
    replace(boxes.head, el("p", { class: "crumbs" }, el("a", { href: "#/" }, "Webhooks")),
      el("div", { class: "head" }, el("div", { class: "title" }, el("h1", null, webhook.name), badge(webhook), stateBadge(webhook.state)), actions(webhook, refresh)));
    replace(boxes.facts, facts(webhook, names));
  }
  function drawItems() {
    replace(boxes.chart, dayChart(items));
    replace(boxes.list, batches(items, view, drawItems));
  }
  async function refresh() {
    try {
      const [fresh, list] = await Promise.all([api.getWebhook(id), api.attempts(id)]);
      const isChanged = JSON.stringify(fresh) !== JSON.stringify(webhook);
      webhook = fresh;
      if (isChanged) drawHead();
      const next = list.map(readItem);
      if (JSON.stringify(next) !== JSON.stringify(items)) { items = next; drawItems(); }
    } catch (error) {
      if (items === null) replace(boxes.list, failure(error, refresh));
    }
  }

  drawHead();
  replace(boxes.list, loading("batches"));
  replace(root, boxes.head, boxes.stats, el("section", { class: "card" },
    el("div", { class: "head" }, el("h2", null, "Last 24 hours"), el("p", { class: "legend" },
      el("span", { class: "key good" }), "delivered", el("span", { class: "key bad" }), "failed", el("span", { class: "key latency" }), "median latency")),
    boxes.chart), el("section", { class: "card" }, el("div", { class: "head" }, el("h2", null, "Batch status"),
    el("a", { href: `#/dead-letters/${encodeURIComponent(id)}` }, "Dead letters of this webhook")), boxes.list), boxes.facts);
  const unwatch = live.watch((sample) => drawStats(boxes.stats, webhook, sample));
  if (!boxes.stats.hasChildNodes()) drawStats(boxes.stats, webhook, null);
  await refresh();
  const timer = setInterval(() => { if (!document.hidden) refresh(); }, REFRESH_MS);
  return () => { unwatch(); clearInterval(timer); };
}
