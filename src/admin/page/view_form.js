// Create and edit. Saving a new or changed target sends a test request first; when that fails, both
// sides of it are shown here, and nothing was saved.
import { createWebhook, documentation, getWebhook, settings as settingsOf, updateWebhook } from "./api.js";
import { busy, el, field, nextId, replace, toast } from "./dom.js";
import { failedExchange } from "./exchange.js";
import { advancedSection } from "./form_settings.js";
import { authSection, headersSection } from "./form_auth.js";
import { subaccountSection } from "./form_subaccounts.js";

function eventsSection(groups, chosen, isNew) {
  const all = Object.values(groups).flatMap((group) => Object.keys(group.events));
  const isAll = isNew || all.every((type) => chosen.includes(type));
  const boxes = [];
  const name = nextId();
  const radio = (text, value, checked) => el("label", { class: "choice" },
    el("input", { type: "radio", name, value, checked, onchange: () => draw(value === "all") }), text);
  const grid = el("div", { class: "groups" }, Object.values(groups).map((group) => {
    const own = Object.entries(group.events).map(([type, event]) => {
      const box = el("input", { type: "checkbox", value: type, checked: !isNew && chosen.includes(type) });
      boxes.push(box);
      return el("label", { class: "choice", title: event.description }, box, event.display_name);
    });
    return el("fieldset", { class: "group" }, el("legend", null, group.display_name), own);
  }));
  const draw = (hide) => { grid.hidden = hide; };
  draw(isAll);
  const node = el("fieldset", { class: "card" }, el("legend", null, "Events"),
    radio("Send all event types", "all", isAll), radio("Let me choose event types", "some", !isAll), grid);
  // Types that the documentation does not know stay as they are.
  const unknown = chosen.filter((type) => !all.includes(type));
  return { node, read: () => (grid.hidden ? all : boxes.filter((box) => box.checked).map((box) => box.value)).concat(unknown) };
}

function basics(webhook) {
  const name = el("input", { type: "text", maxlength: 200, value: webhook.name || "", autocomplete: "off" });
  const target = el("input", { type: "url", value: webhook.target || "", placeholder: "https://example.com/my/webhook", autocomplete: "off", spellcheck: "false" });
  const active = webhook.id ? el("input", { type: "checkbox", checked: webhook.active !== false }) : null;
  const node = el("fieldset", { class: "card" }, el("legend", null, "Webhook"),
    field("Webhook name", name, { required: true }),
    field("Target URL", target, { required: true, hint: webhook.id
      ? "A changed target is sent a test request before it is saved. Batches that wait keep the old one."
      : "It is sent a test request, and must answer 200 before the webhook is created." }),
    active && el("label", { class: "choice" }, active, "Active: takes new events"));
  return { node, target, read: () => ({ name: name.value.trim(), target: target.value.trim(), ...(active ? { active: active.checked } : {}) }) };
}

function check(body) {
  if (!body.name) return "The webhook needs a name.";
  if (!/^https?:\/\/./i.test(body.target)) return "The target must be an http or https URL.";
  if (body.events.length === 0) return "Choose at least one event type, or all.";
  if (Number.isNaN(body.subaccount_id)) return "The subaccount must be a number.";
  return null;
}

function showProblem(box, error) {
  const details = error.details;
  const isVerification = details && (details.response || details.request);
  box.hidden = false;
  replace(box, el("h2", null, isVerification ? "The test request failed, nothing was saved" : "This was not saved"),
    el("p", null, error.message), isVerification && failedExchange(details));
  box.scrollIntoView({ block: "start" });
  box.focus();
}

export async function showForm(root, id) {
  const isNew = id === null;
  const [groups, table, webhook] = await Promise.all([documentation(), settingsOf().catch(() => []), isNew ? { events: [] } : getWebhook(id)]);
  const back = isNew ? "#/" : `#/webhooks/${encodeURIComponent(id)}`;
  const parts = [basics(webhook), eventsSection(groups, webhook.events, isNew), subaccountSection(webhook), authSection(webhook), headersSection(webhook),
    advancedSection(table, webhook)];
  const problem = el("section", { class: "card problem-box", role: "alert", tabindex: "-1", hidden: true });
  const submit = el("button", { class: "primary" }, isNew ? "Create webhook" : "Save changes");
  const note = el("span", { class: "muted", role: "status" });

  async function save() {
    problem.hidden = true;
    const [base, events, subaccounts, auth, headers, advanced] = parts.map((part) => part.read());
    const body = { ...base, events, ...subaccounts, ...auth, custom_headers: headers, ...advanced };
    const wrong = check(body);
    if (wrong) {
      showProblem(problem, new Error(wrong));
      return;
    }
    replace(note, isNew || body.target !== webhook.target ? "Waiting for the target to answer a test request …" : "Saving …");
    try {
      const saved = isNew ? await createWebhook(body) : await updateWebhook(id, body);
      toast(isNew ? "The webhook was created. It takes events from about a minute from now." : "The changes were saved.");
      location.hash = `#/webhooks/${encodeURIComponent(saved.id)}`;
    } catch (error) {
      if (error.status !== 401) showProblem(problem, error);
    } finally {
      replace(note);
    }
  }

  replace(root, el("div", { class: "head" }, el("h1", null, isNew ? "New webhook" : `Edit ${webhook.name}`)),
    el("form", { class: "form", novalidate: true, onsubmit: (event) => { event.preventDefault(); busy(submit, save); } },
      problem, parts.map((part) => part.node),
      el("div", { class: "actions" }, submit, el("a", { class: "button", href: back }, "Cancel"), note)));
}
