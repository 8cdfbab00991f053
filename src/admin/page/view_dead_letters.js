// Dead letters: batches that were given up and kept. Looked at, sent again, or deleted.
import * as api from "./api.js";
import { attempt, confirmDialog, openDialog } from "./dialog.js";
import { button, el, empty, failure, loading, nextId, replace, toast } from "./dom.js";
import { raw } from "./exchange.js";
import { bytes, count, exact, plural } from "./format.js";

const PAGE = 100;

async function showRecords(letter) {
  const box = el("div", null, loading("the events"));
  openDialog("Dead letter", [el("p", { class: "muted" }, el("code", { class: "wrap" }, letter.batch_id)), box], (close) => [button("Close", close)]);
  try {
    const whole = await api.deadLetter(letter.batch_id);
    const records = whole.records || [];
    replace(box, el("p", null, `${plural(whole.events, "event")}, ${bytes(whole.bytes)}${records.length < whole.events ? `; the first ${count(records.length)}:` : ":"}`),
      raw("Events", records.map((record) => JSON.stringify(record, null, 2)).join("\n")));
  } catch (error) {
    replace(box, failure(error));
  }
}

function row(letter, names, refresh) {
  const replay = button("Replay", () => attempt(replay, async () => {
    const { replayed } = await api.replay(letter.batch_id);
    return `${plural(replayed, "batch", "batches")} will be sent again.`;
  }, refresh));
  const remove = () => confirmDialog("Delete this dead letter?", el("p", null, `Its ${plural(letter.events, "event")} will be gone for good.`), "Delete for good", async () => {
    await api.dropLetter(letter.batch_id);
    toast("The dead letter was deleted.");
    refresh();
  });
  return el("tr", null,
    el("td", { "data-label": "Given up" }, el("time", { datetime: new Date(letter.died_ms).toISOString() }, exact(letter.died_ms))),
    el("td", { "data-label": "Webhook" }, names.get(letter.webhook_id) || el("span", { class: "muted" }, `${letter.webhook_id} (removed)`),
      el("div", { class: "small muted wrap" }, letter.batch_id)),
    el("td", { "data-label": "Last answer" }, letter.status ? `HTTP ${letter.status}` : letter.network_name || "none", el("div", { class: "small muted" }, letter.reason)),
    el("td", { "data-label": "Events", class: "number" }, count(letter.events), el("div", { class: "small muted" }, bytes(letter.bytes))),
    el("td", { "data-label": "Attempts", class: "number" }, count(letter.attempts)),
    el("td", { class: "row-actions" }, replay, button("Look", () => showRecords(letter)), button("Delete", remove, "danger quiet")));
}

function table(letters, names, refresh) {
  return el("table", { class: "list" }, el("caption", { class: "hidden" }, "Dead letters"),
    el("thead", null, el("tr", null, ["Given up", "Webhook", "Last answer", "Events", "Attempts"].map((t) => el("th", { scope: "col" }, t)), el("td", null))),
    el("tbody", null, letters.map((letter) => row(letter, names, refresh))));
}

export async function showDeadLetters(root, webhookId) {
  const webhooks = await api.listWebhooks();
  const names = new Map(webhooks.map((webhook) => [webhook.id, webhook.name]));
  const filter = webhookId ? { webhook_id: webhookId } : {};
  const body = el("div");
  const select = el("select", { id: nextId(), onchange: () => { location.hash = select.value ? `#/dead-letters/${encodeURIComponent(select.value)}` : "#/dead-letters"; } },
    el("option", { value: "" }, "All webhooks"), webhooks.map((webhook) => el("option", { value: webhook.id, selected: webhook.id === webhookId }, webhook.name)));
  const all = button("Replay all", () => confirmDialog("Replay all dead letters?",
    el("p", null, webhookId ? "Those of this webhook become batches again and are sent to its present target." : "They become batches again and are sent to the present targets of their webhooks. Those of removed webhooks stay."),
    "Replay", async () => {
      const { replayed } = await api.replayAll(filter);
      toast(`${plural(replayed, "batch", "batches")} will be sent again.`);
      refresh();
    }));
  all.hidden = true;

  async function refresh() {
    try {
      const letters = await api.deadLetters({ ...filter, limit: PAGE });
      all.hidden = letters.length === 0;
      replace(body, letters.length === 0
        ? empty("No dead letters", "Batches that were given up after the retry period are kept here when the setting dead_letter is on.")
        : [table(letters, names, refresh), letters.length === PAGE && el("p", { class: "muted" }, `The first ${PAGE}. Replay or delete some to see more.`)]);
    } catch (error) {
      all.hidden = true;
      replace(body, error.status === 409 ? empty("Dead letters need a spool", error.message) : failure(error, refresh));
    }
  }

  replace(root, el("div", { class: "head" }, el("h1", null, "Dead letters"), all),
    el("div", { class: "tools" }, el("label", { class: "inline", for: select.id }, "Webhook"), select), body);
  replace(body, loading("dead letters"));
  await refresh();
}
