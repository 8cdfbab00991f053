// Modal dialogs, by the browser's own element: it keeps the focus inside and Escape closes it.
import { append, button, busy, el, nextId, toast } from "./dom.js";

// Returns {node, close}; `done` runs when it is closed.
export function openDialog(title, content, actions, done = () => {}) {
  const id = nextId();
  const node = el("dialog", { "aria-labelledby": id });
  const close = () => node.close();
  append(node, [
    el("div", { class: "dialog-head" }, el("h2", { id }, title),
      el("button", { type: "button", class: "quiet icon", "aria-label": "Close", onclick: close }, "✕")),
    el("div", { class: "dialog-body" }, content),
    el("div", { class: "dialog-actions" }, actions(close)),
  ]);
  node.addEventListener("close", () => { node.remove(); done(); });
  document.body.append(node);
  node.showModal();
  return { node, close };
}

// Asks, then acts; what goes wrong is shown in the dialog.
export function confirmDialog(title, content, verb, action) {
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  return openDialog(title, [content, problem], (close) => {
    const act = button(verb, () => busy(act, async () => {
      try {
        await action();
        close();
      } catch (error) {
        problem.hidden = false;
        problem.replaceChildren(error.message);
      }
    }), "danger");
    return [button("Cancel", close), act];
  });
}

// Runs an action of a page's button and tells how it went.
export const attempt = (node, action, done) => busy(node, async () => {
  try {
    toast(await action() || "Done");
    if (done) done();
  } catch (error) {
    toast(error.message, "bad");
  }
});
