// The form's parts on how requests authenticate, and on custom headers.
import { button, el, field, replace } from "./dom.js";

const HEADERS_MAX = 5;

const text = (value, more = {}) => el("input", { type: "text", value: value || "", autocomplete: "off", spellcheck: "false", ...more });
const secret = (value) => text(value, { type: "password", autocomplete: "new-password" });

const KINDS = {
  none: ["None", () => ({ node: null, read: () => ({}) })],
  basic: ["Basic (user name and password)", (webhook) => {
    const given = webhook.auth_credentials || {};
    const [user, password] = [text(given.username), secret(given.password)];
    return { node: [field("User name", user, { required: true }), field("Password", password)],
      read: () => ({ auth_credentials: { username: user.value, password: password.value } }) };
  }],
  bearer: ["Bearer token", (webhook) => {
    const token = secret((webhook.auth_credentials || {}).access_token);
    return { node: field("Bearer token", token, { required: true }), read: () => ({ auth_credentials: { access_token: token.value } }) };
  }],
  oauth2: ["OAuth 2 (client credentials)", (webhook) => {
    const given = webhook.auth_request_details || {};
    const body = given.body || {};
    const [url, client, password] = [text(given.url, { type: "url", placeholder: "https://example.com/oauth/token" }), text(body.client_id), secret(body.client_secret)];
    return { node: [field("Token URL", url, { required: true }), field("Client ID", client, { required: true }), field("Client secret", password, { required: true })],
      read: () => ({ auth_request_details: { url: url.value.trim(), body: { ...body, client_id: client.value, client_secret: password.value, grant_type: body.grant_type || "client_credentials" } } }) };
  }],
};

export function authSection(webhook) {
  const token = text(webhook.auth_token, { placeholder: "secret_123456" });
  const present = KINDS[webhook.auth_type] ? webhook.auth_type : "none";
  const kind = el("select", null, Object.entries(KINDS).map(([key, [name]]) => el("option", { value: key, selected: key === present }, name)));
  const box = el("div", { class: "fields" });
  let part;
  const draw = () => {
    part = KINDS[kind.value][1](kind.value === webhook.auth_type ? webhook : {});
    replace(box, part.node);
  };
  kind.addEventListener("change", draw);
  draw();
  return {
    node: el("fieldset", { class: "card" }, el("legend", null, "Authentication"),
      field("Authentication token", token, { hint: "Optional. Sent as X-MessageSystems-Webhook-Token." }),
      field("Authorization header", kind), box,
      webhook.id && el("p", { class: "hint" }, "Secrets are shown as ****; left so, they stay as they are.")),
    read: () => ({ auth_token: token.value, auth_type: kind.value, ...part.read() }),
  };
}

export function headersSection(webhook) {
  const list = el("div", { class: "pairs" });
  const add = button("Add header", () => { addRow("", "").focus(); });
  const update = () => { add.hidden = list.children.length >= HEADERS_MAX; };
  function addRow(name, value) {
    const [key, content] = [text(name, { placeholder: "X-Api-Key", "aria-label": "Header name" }), text(value, { placeholder: "value", "aria-label": "Header value" })];
    const row = el("div", { class: "pair" }, key, content,
      el("button", { type: "button", class: "quiet icon", "aria-label": "Remove this header", onclick: () => { row.remove(); update(); add.focus(); } }, "✕"));
    list.append(row);
    update();
    return key;
  }
  Object.entries(webhook.custom_headers || {}).forEach(([name, value]) => addRow(name, value));
  update();
  return {
    node: el("fieldset", { class: "card" }, el("legend", null, "Custom headers"),
      el("p", { class: "hint" }, "At most five, sent with every request."), list, add),
    read: () => Object.fromEntries([...list.children].map((row) => [...row.querySelectorAll("input")].map((input) => input.value.trim())).filter(([name]) => name)),
  };
}
