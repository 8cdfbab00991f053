// The form's advanced part: every setting that a webhook can have of its own, from the server's
// table.
import { el, field } from "./dom.js";

// These have fields of their own in the form, or are made by the server.
const ELSEWHERE = /^(auth\.|oauth2\.(url|client_id|client_secret|grant_type)$|subaccount)/;

const GROUPS = [
  ["Batches", /^batch\./], ["Retries", /^(retry\.|http\.|dead_letter|disable\.)/], ["Rates and time limits", /^(rate\.|request\.|connect\.|webhook\.|connections\.)/],
  ["Compression and signatures", /^(compression|signing\.)/], ["TLS, proxy and addresses", /^(tls\.|proxy|address\.)/], ["Other", /./],
];

function control(row, value) {
  // Keys that are bound to a subaccount are not told the value.
  const inherit = row.value === undefined ? "Server's value" : `Server's value: ${row.value === "" ? "empty" : row.value}`;
  const choices = row.type === "boolean" ? ["on", "off"] : row.type === "choice" ? String(row.range).split("|") : null;
  if (choices) {
    return el("select", null, el("option", { value: "", selected: value === undefined }, inherit),
      choices.map((choice) => el("option", { value: choice, selected: choice === value }, choice)));
  }
  return el("input", { type: row.secret ? "password" : "text", value: value ?? "", placeholder: inherit, autocomplete: row.secret ? "new-password" : "off", spellcheck: "false" });
}

export function advancedSection(table, webhook) {
  const given = webhook.settings || {};
  const inputs = [];
  const left = table.filter((row) => !ELSEWHERE.test(row.key));
  const groups = GROUPS.map(([title, pattern]) => {
    const own = left.filter((row) => pattern.test(row.key));
    own.forEach((row) => left.splice(left.indexOf(row), 1));
    if (own.length === 0) return null;
    const fields = own.map((row) => {
      const input = control(row, given[row.key]);
      inputs.push([row.key, input]);
      const range = row.range && row.type !== "choice" && row.type !== "boolean" ? ` Range: ${row.range}.` : "";
      return field(row.key, input, { hint: `${row.help}${range}` });
    });
    return el("details", { open: own.some((row) => given[row.key] !== undefined) }, el("summary", null, title), el("div", { class: "fields columns" }, fields));
  });
  return {
    node: el("fieldset", { class: "card advanced" }, el("legend", null, "Advanced limits"),
      el("p", { class: "hint" }, "Empty means what the server is configured to."), groups),
    // Null gives a setting back to the server's configuration.
    read: () => {
      const changed = {};
      for (const [key, input] of inputs) {
        const before = given[key];
        if (input.value !== (before ?? "")) changed[key] = input.value === "" ? null : input.value;
      }
      return Object.keys(changed).length ? { settings: changed } : {};
    },
  };
}
