// Makes elements. Every text becomes a text node, so nothing that comes from an event, a receiver or
// a user is ever read as markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "selected") node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  append(node, children);
  return node;
}

export function append(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    node.append(child instanceof Node ? child : visible(String(child)));
  }
}

// Control characters would be invisible, or turn the reading direction.
export function visible(text) {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/g,
    (c) => (c.charCodeAt(0) < 0x20 ? String.fromCharCode(0x2400 + c.charCodeAt(0)) : "\ufffd"));
}

export function el(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

export function svg(name, attributes, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

export function replace(node, ...children) {
  node.replaceChildren();
  append(node, children);
  return node;
}

let ids = 0;
export const nextId = () => `i${++ids}`;

// A labelled input; `input` gets the id, hint and error stand below it.
export function field(label, input, { hint, required, error } = {}) {
  input.id ||= nextId();
  const notes = [];
  if (hint) notes.push(el("span", { class: "hint", id: `${input.id}-hint` }, hint));
  if (error) {
    notes.push(el("span", { class: "field-error", id: `${input.id}-error` }, error));
    input.setAttribute("aria-invalid", "true");
  }
  if (notes.length) input.setAttribute("aria-describedby", notes.map((n) => n.id).join(" "));
  if (required) input.required = true;
  return el("div", { class: "field" },
    el("label", { for: input.id }, label, required && el("span", { class: "mark", "aria-hidden": "true" }, " *")),
    input, notes);
}

export function button(text, onclick, kind = "") {
  return el("button", { type: "button", class: kind, onclick }, text);
}

// Runs an action of a button, which is busy meanwhile.
export async function busy(node, action) {
  if (node.getAttribute("aria-busy") === "true") return;
  node.setAttribute("aria-busy", "true");
  node.disabled = true;
  try {
    await action();
  } finally {
    node.removeAttribute("aria-busy");
    node.disabled = false;
  }
}

export const loading = (what) => el("p", { class: "state", role: "status" },
  el("span", { class: "spinner", "aria-hidden": "true" }), `Loading ${what} …`);

export function empty(title, text, ...more) {
  return el("div", { class: "state empty" }, el("h2", null, title), el("p", null, text), more);
}

export function failure(error, retry) {
  return el("div", { class: "state failure", role: "alert" },
    el("h2", null, "That did not work"), el("p", null, error.message),
    retry && button("Try again", retry));
}

export function toast(text, kind = "good") {
  const node = el("div", { class: `toast ${kind}` }, text);
  document.getElementById("toasts").append(node);
  setTimeout(() => node.remove(), kind === "bad" ? 9000 : 5000);
}
