// Tests a webhook: shows the whole raw request before it is sent, then the request as it was and the
// whole raw response.
import { samples, testWebhook } from "./api.js";
import { openDialog } from "./dialog.js";
import { busy, button, el, loading, replace } from "./dom.js";
import { failedExchange, raw, requestText, responseText } from "./exchange.js";

function preview(webhook, message) {
  const url = new URL(webhook.target);
  return requestText({ method: "POST", url: webhook.target, body: JSON.stringify(message, null, 2),
    headers: { Host: url.host, "Content-Type": "application/json", ...(webhook.auth_token ? { "X-MessageSystems-Webhook-Token": webhook.auth_token } : {}), ...webhook.custom_headers } });
}

export async function openTest(webhook) {
  const box = el("div", { class: "exchange", "aria-live": "polite" }, loading("a sample event"));
  let message = null;
  const send = button("Send test request", () => busy(send, async () => {
    replace(box, raw("Request", preview(webhook, message)), loading("the answer"));
    try {
      const result = await testWebhook(webhook.id, message);
      replace(box, el("p", { class: "verdict good" }, result.msg), result.request && raw("Request that was sent", requestText(result.request)), raw("Response", responseText(result.response), "good"));
    } catch (error) {
      const details = error.details || {};
      const isAnswered = details.request || details.response || error.status === 400;
      replace(box, el("p", { class: "verdict bad", role: "alert" }, error.message), isAnswered && failedExchange(details));
    }
    send.textContent = "Send again";
  }), "primary");
  send.disabled = true;
  openDialog(`Test ${webhook.name}`, [el("p", { class: "muted" }, "One sample delivery event in a batch, sent to ", el("code", null, webhook.target), "."), box], (close) => [button("Close", close), send]);
  try {
    message = await samples("delivery");
    replace(box, raw("Request that will be sent", preview(webhook, message)));
    send.disabled = false;
    send.focus();
  } catch (error) {
    replace(box, el("p", { class: "verdict bad", role: "alert" }, error.message));
  }
}
