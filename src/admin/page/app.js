// Starts the page: the key, the routes in the address's fragment, one view at a time.
import { clearKey, hasKey, hooks } from "./api.js";
import { append, el, failure, loading, replace } from "./dom.js";
import * as live from "./live.js";
import { showLogin } from "./view_login.js";
import { showList } from "./view_list.js";
import { showForm } from "./view_form.js";
import { showWebhook } from "./view_webhook.js";
import { showDeadLetters } from "./view_dead_letters.js";

const main = document.getElementById("main");
const nav = document.getElementById("nav");

// Pattern of the fragment -> view. A view is called with a fresh element and its parts of the
// fragment, and may return what ends it.
const ROUTES = [
  [/^$/, showList, "Webhooks"],
  [/^new$/, (root) => showForm(root, null), "New webhook"],
  [/^webhooks\/([^/]+)$/, showWebhook, "Webhook"],
  [/^webhooks\/([^/]+)\/edit$/, showForm, "Edit webhook"],
  [/^dead-letters(?:\/([^/]+))?$/, showDeadLetters, "Dead letters"],
];

let leave = () => {};
let turn = 0;

function drawNav(path) {
  nav.hidden = false;
  const link = (href, text, on) => el("a", { href, "aria-current": on ? "page" : null }, text);
  replace(nav,
    link("#/", "Webhooks", !path.startsWith("dead-letters")),
    link("#/dead-letters", "Dead letters", path.startsWith("dead-letters")),
    el("button", { type: "button", class: "quiet", onclick: () => logOut() }, "Log out"));
}

function logOut(message) {
  clearKey();
  live.stop();
  route(message);
}

async function route(message) {
  leave();
  leave = () => {};
  turn += 1;
  const mine = turn;
  document.querySelectorAll("dialog").forEach((dialog) => dialog.close());
  const root = el("div", { class: "view" });
  replace(main, root);
  if (!hasKey()) {
    nav.hidden = true;
    document.title = "Log in · Posthaste";
    showLogin(root, message, () => route());
    return;
  }
  live.start();
  const path = decodeURIComponent(location.hash.replace(/^#\/?/, ""));
  drawNav(path);
  const found = ROUTES.map(([pattern, view, title]) => ({ match: path.match(pattern), view, title })).find((r) => r.match);
  if (!found) {
    location.hash = "#/";
    return;
  }
  document.title = `${found.title} · Posthaste`;
  append(root, [loading(found.title.toLowerCase())]);
  try {
    const end = await found.view(root, ...found.match.slice(1));
    if (mine === turn) leave = end || (() => {});
    else if (end) end();
  } catch (error) {
    if (mine === turn && error.status !== 401) replace(root, failure(error, () => route()));
  }
  if (mine === turn && message !== "first") main.focus({ preventScroll: true });
}

hooks.unauthorized = () => { if (hasKey()) logOut("This key is not valid (any more)."); };
window.addEventListener("hashchange", () => { window.scrollTo(0, 0); route(); });
route("first");
