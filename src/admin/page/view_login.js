// The way in: an API key, tried at once, kept for this tab only.
import { logIn } from "./api.js";
import { append, busy, el, field, replace } from "./dom.js";

export function showLogin(root, message, done) {
  const input = el("input", { type: "password", autocomplete: "off", spellcheck: "false", name: "key" });
  const problem = el("p", { class: "problem", role: "alert" });
  const submit = el("button", { class: "primary" }, "Log in");
  if (message && message !== "first") append(problem, [message]);
  else problem.hidden = true;
  const form = el("form", { class: "card login", novalidate: true, onsubmit: (event) => {
    event.preventDefault();
    busy(submit, async () => {
      try {
        await logIn(input.value.trim());
        done();
      } catch (error) {
        problem.hidden = false;
        replace(problem, error.status === 401 ? "This key is not valid." : error.message);
        input.focus();
      }
    });
  } },
  el("h1", null, "Log in"),
  el("p", { class: "muted" }, "Webhooks of this server, their batches and their failures. You need one of its API keys."),
  field("API key", input, { required: true, hint: "Kept in this tab until it is closed, and sent to this server only." }),
  problem, submit);
  replace(root, form);
  input.focus();
}
