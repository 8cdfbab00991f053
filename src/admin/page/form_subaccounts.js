// Whose events a webhook takes: the form's part, and the words of it for the other views.
import { el, field } from "./dom.js";

const ALL = -1;
const numberOf = (webhook) => webhook.subaccount_id ?? ALL;
const exceptionsOf = (webhook) => (webhook.exception_subaccounts || []).map(String);

// Null for what is usual: everybody's.
export function subaccountsText(webhook) {
  const number = numberOf(webhook);
  if (number === 0) return "Primary account only";
  if (number !== ALL) return `Subaccount ${number}`;
  const exceptions = exceptionsOf(webhook);
  return exceptions.length ? `All subaccounts except ${exceptions.join(", ")}` : null;
}

const KINDS = { all: "All subaccounts and the primary account", primary: "The primary account only", one: "One subaccount" };

function kindOf(number) {
  if (number === ALL) return "all";
  return number === 0 ? "primary" : "one";
}

export function subaccountSection(webhook) {
  const before = numberOf(webhook);
  const given = exceptionsOf(webhook);
  const kind = el("select", null, Object.entries(KINDS).map(([key, text]) => el("option", { value: key, selected: key === kindOf(before) }, text)));
  const number = el("input", { type: "text", inputmode: "numeric", value: before > 0 ? before : "", autocomplete: "off" });
  const exceptions = el("input", { type: "text", value: given.join(", "), placeholder: "none", autocomplete: "off" });
  const one = field("Subaccount", number, { required: true, hint: "Its number." });
  const except = field("Except subaccounts", exceptions, { hint: "At most ten numbers, with commas between them." });
  const draw = () => {
    one.hidden = kind.value !== "one";
    except.hidden = kind.value !== "all";
  };
  kind.addEventListener("change", draw);
  draw();

  // Only what changed: a key that is bound to a subaccount may say nothing else.
  function read() {
    const text = number.value.trim();
    const chosen = { all: ALL, primary: 0, one: /^\d+$/.test(text) ? Number(text) : NaN }[kind.value];
    const named = kind.value === "all" ? exceptions.value.split(",").map((part) => part.trim()).filter(Boolean) : [];
    const body = {};
    if (chosen !== before) body.subaccount_id = chosen;
    if (named.join() !== given.join()) body.exception_subaccounts = named;
    return body;
  }
  return {
    node: el("fieldset", { class: "card" }, el("legend", null, "Subaccounts"), field("Takes events of", kind), one, except),
    read,
  };
}
