// The web page in a real browser, against a real engine: log in, create with a failing and a passing
// target, test, edit, watch a batch arrive, see a failed one, replay a dead letter, delete; hostile
// texts on every view; phone and desktop, light and dark; no console error; axe.
//
//   node page_test.mjs ADMIN_HOST NODE_MODULES OUTPUT_DIR
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import readline from "node:readline";

const [program, modules, output] = process.argv.slice(2);
const require = createRequire(path.join(modules, "none.js"));
const { chromium } = require("playwright-core");
const AXE = fs.readFileSync(path.join(modules, "axe-core", "axe.min.js"), "utf8");

const HOSTILE = `"><script>window.hacked=1</script><img src=x onerror=window.hacked=2> '&amp; \u0007\u202e{{7*7}}`;
// What the page shows of it: control characters become visible.
const HOSTILE_SHOWN = HOSTILE.replace("\u0007", "\u2407").replace("\u202e", "\ufffd");
// A name may have no control characters.
const NAME = HOSTILE.replace("\u0007", "");
const NAME_SHOWN = HOSTILE_SHOWN.replace("\u2407", "");
const WAIT = { timeout: 20000 };

// A receiver whose answers the test chooses.
class Receiver {
  mode = { status: 200, body: "OK" };
  requests = [];
  async start() {
    this.server = http.createServer((request, response) => {
      let body = "";
      request.on("data", (part) => { body += part; });
      request.on("end", () => {
        this.requests.push({ url: request.url, headers: request.headers, body });
        response.writeHead(this.mode.status, { "Content-Type": "text/html", "X-Says": this.mode.header || "nothing" });
        response.end(this.mode.body);
      });
    });
    await new Promise((done) => this.server.listen(0, "127.0.0.1", done));
    this.url = `http://127.0.0.1:${this.server.address().port}`;
    return this;
  }
}

class Host {
  lines = [];
  constructor(folder) {
    const conf = { "spool.dir": folder, dead_letter: "on", "retry.base": "100ms", "retry.max": "200ms", "retry.max_age": "1s", "webhook.activation_delay": "0s", "batch.max_age": "200ms", "connect.timeout": "2s" };
    this.process = spawn(program, Object.entries(conf).map(([key, value]) => `conf:${key}=${value}`), { stdio: ["pipe", "pipe", "inherit"] });
    readline.createInterface({ input: this.process.stdout }).on("line", (line) => this.lines.push(line));
  }
  async line(prefix) {
    return until(() => { const found = this.lines.find((line) => line.startsWith(prefix)); return found && found.slice(prefix.length); }, prefix);
  }
  push(type, event) { this.process.stdin.write(`${type} ${JSON.stringify(event)}\n`); }
  async end() {
    const ended = new Promise((done) => this.process.on("exit", (code) => done(code)));
    this.process.stdin.end();
    return ended;
  }
}

async function until(condition, what) {
  const end = Date.now() + WAIT.timeout;
  for (;;) {
    const value = await condition();
    if (value) return value;
    assert.ok(Date.now() < end, `waited for ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "posthaste-page-"));
const receiver = await new Receiver().start();
const host = new Host(path.join(folder, "spool"));
fs.mkdirSync(output, { recursive: true });
const base = await host.line("listening on ");
const key = await host.line("key modify ");
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, locale: "en-GB", timezoneId: "UTC" });
const page = await context.newPage();
page.setDefaultTimeout(WAIT.timeout);

const complaints = [];
const foreign = [];
page.on("pageerror", (error) => complaints.push(String(error)));
page.on("console", (message) => {
  // The browser itself notes every answer of 400 and above; those of the API are the test's doing.
  const isRefusal = message.text().startsWith("Failed to load resource") && message.location().url.startsWith(`${base}/api/v1/`);
  if (["error", "warning"].includes(message.type()) && !isRefusal) complaints.push(message.text());
});
page.on("request", (request) => { if (!request.url().startsWith(`${base}/`) && !request.url().startsWith("data:")) foreign.push(request.url()); });

async function axe(where) {
  await page.evaluate(AXE);
  const result = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const serious = result.violations.filter((v) => ["serious", "critical"].includes(v.impact));
  assert.deepEqual(serious.map((v) => `${where}: ${v.id}: ${v.nodes.map((n) => `${n.target} ${n.failureSummary}`).join("; ")}`), []);
}

async function unharmed(where) {
  assert.equal(await page.evaluate(() => window.hacked), undefined, `${where}: markup was run`);
  assert.equal(await page.locator("main script, main img, dialog script, dialog img").count(), 0, `${where}: markup was made`);
  const isWide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth + 1);
  assert.equal(isWide, false, `${where}: wider than the screen`);
}

async function picture(name) {
  for (const scheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: scheme });
    for (const [size, width, height] of [["desktop", 1280, 860], ["phone", 390, 844]]) {
      await page.setViewportSize({ width, height });
      await unharmed(`${name} ${size}`);
      await axe(`${name} ${size} ${scheme}`);
      await page.screenshot({ path: path.join(output, `${name}-${size}-${scheme}.png`), fullPage: true });
    }
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 1280, height: 860 });
}

const button = (name, where = page) => where.getByRole("button", { name, exact: true });
const isShown = (text, where = page) => where.getByText(text).first().waitFor();
const dialog = () => page.getByRole("dialog");

const steps = {
  async "a wrong key is refused, the right one logs in by keyboard alone"() {
    await page.goto(base);
    await picture("login");
    await page.getByLabel("API key").fill("wrong-key-wrong-key-wrong");
    await page.keyboard.press("Enter");
    await isShown("This key is not valid.");
    await page.getByLabel("API key").fill(key);
    await page.keyboard.press("Enter");
    await isShown("No webhooks yet");
    assert.equal(await page.evaluate(() => localStorage.length), 0);
    await picture("empty");
  },
  async "the form refuses what is missing"() {
    await page.getByRole("link", { name: "New webhook" }).click();
    await button("Create webhook").click();
    await isShown("The webhook needs a name.");
    await page.getByText("Batches", { exact: true }).click();
    await isShown("batch.max_events");
    // What the engine has now, not what the library is delivered with.
    await page.getByText("Retries", { exact: true }).click();
    assert.equal(await page.getByLabel("retry.max_age").getAttribute("placeholder"), "Server's value: 1s");
    assert.equal(await page.getByLabel("batch.max_age").getAttribute("placeholder"), "Server's value: 200ms");
    assert.match(await page.getByLabel("verify", { exact: true }).locator("option").first().textContent(), /^Server's value: \w+$/);
    await picture("form");
  },
  async "a failing target shows the whole request and response in the form"() {
    receiver.mode = { status: 404, body: `Not here ${HOSTILE}`, header: `"><script>window.hacked=3</script>` };
    await page.getByLabel("Webhook name").fill(NAME);
    await page.getByLabel("Target URL").fill(`${receiver.url}/hook?<script>alert(1)</script>`);
    await page.getByLabel("Authentication token").fill("sesame-token");
    await button("Add header").click();
    await page.getByLabel("Header name").fill("X-Shop");
    await page.getByLabel("Header value").fill("a'b\"<i>c");
    await page.getByLabel("batch.max_events").fill("500");
    await page.getByLabel("Except subaccounts").fill("77, 78");
    await button("Create webhook").click();
    await isShown("The test request failed, nothing was saved");
    const raw = await page.locator(".problem-box pre").allTextContents();
    assert.match(raw[0], /POST \/hook/);
    assert.match(raw[0], /\[\{"msys":\{\}\}\]/);
    assert.doesNotMatch(raw[0], /sesame-token/);
    assert.match(raw[1], /HTTP 404 Not Found/);
    assert.ok(raw[1].includes(HOSTILE_SHOWN), raw[1]);
    await picture("form-failed");
  },
  async "a passing target is created, and all that was given is there"() {
    receiver.mode = { status: 200, body: "OK" };
    await button("Create webhook").click();
    await page.waitForURL(/#\/webhooks\/[^/]+$/);
    await isShown(NAME_SHOWN);
    const id = decodeURIComponent(page.url().split("/webhooks/")[1]);
    const stored = (await (await fetch(`${base}/api/v1/webhooks/${id}`, { headers: { Authorization: key } })).json()).results;
    assert.equal(stored.name, NAME);
    assert.equal(stored.settings["batch.max_events"], "500");
    assert.deepEqual(stored.exception_subaccounts, ["77", "78"]);
    await isShown("All subaccounts except 77, 78");
    assert.deepEqual(Object.keys(stored.custom_headers), ["X-Shop"]);
    this.id = id;
  },
  async "the test dialog shows the raw request and the raw response"() {
    receiver.mode = { status: 200, body: `thanks ${HOSTILE}` };
    await button("Test").click();
    await isShown("Request that will be sent");
    await button("Send test request").click();
    await isShown("Test POST to endpoint succeeded");
    const raw = await dialog().locator("pre").allTextContents();
    assert.match(raw[0], /"type":\s*"delivery"/);
    assert.ok(raw[1].includes(HOSTILE_SHOWN), raw[1]);
    await picture("test");
    receiver.mode = { status: 500, body: HOSTILE };
    await button("Send again").click();
    await isShown("HTTP 500 Internal Server Error", dialog());
    await page.keyboard.press("Escape");
    receiver.mode = { status: 200, body: "OK" };
  },
  async "an edit changes what it changes and keeps the secrets"() {
    await page.getByRole("link", { name: "Edit", exact: true }).click();
    await isShown("Let me choose event types");
    await page.getByText("Let me choose event types").click();
    for (const type of ["AMP Open", "AMP Click", "AMP Initial Open"]) {
      const box = page.getByLabel(type, { exact: true });
      if (await box.count()) await box.uncheck();
    }
    await page.getByLabel("Authorization header").selectOption("basic");
    await page.getByLabel("User name").fill("shop");
    await page.getByLabel("Password", { exact: true }).fill("hunter2");
    await picture("edit");
    await button("Save changes").click();
    await page.waitForURL(/#\/webhooks\/[^/]+$/);
    await isShown("basic and token");
  },
  async "a batch arrives and is seen without a reload"() {
    const before = receiver.requests.length;
    host.push("delivery", { rcpt_to: "nobody@example.com", subaccount_id: 77 });
    for (let i = 0; i < 40; ++i) host.push("delivery", { rcpt_to: `${i}${HOSTILE}@example.com`, subject: HOSTILE });
    await until(() => receiver.requests.length > before, "a batch");
    const sent = receiver.requests[receiver.requests.length - 1];
    assert.equal(sent.headers["x-messagesystems-webhook-token"], "sesame-token");
    assert.equal(sent.headers.authorization, `Basic ${Buffer.from("shop:hunter2").toString("base64")}`);
    await isShown("Delivered");
    await page.locator("table.batches .badge.ok").first().waitFor();
    await page.getByRole("link", { name: "Webhooks" }).first().click();
    await page.locator(".list .badge.ok").first().waitFor();
    await isShown("/min");
    await isShown("All subaccounts except 77, 78");
    assert.ok(!receiver.requests.some((r) => r.body.includes("nobody@example.com")));
    await picture("list");
  },
  async "a tab that has just been opened shows the events per minute of the last hour"() {
    const other = await browser.newContext();
    const fresh = await other.newPage();
    await fresh.goto(base);
    await fresh.getByLabel("API key").fill(key);
    await fresh.keyboard.press("Enter");
    const chart = fresh.locator("td.chart svg.sparkline");
    // A minute may have ended between two of the forty.
    const most = async (drawn, minutes) => Number(((await drawn.getAttribute("aria-label").catch(() => "")).match(`(\\d+) at most in the last ${minutes} minutes`) || [0, 0])[1]);
    await until(async () => await most(chart, 30) >= 20, "the minutes before the tab");
    assert.ok(await chart.locator("rect").count() >= 1);
    assert.match(await fresh.locator("td.chart .figure").textContent(), /^[1-9]\d*\/min$/);
    await fresh.getByRole("link", { name: NAME_SHOWN }).click();
    await until(async () => await most(fresh.locator(".stat svg.sparkline"), 60) >= 20, "the hour");
    await other.close();
  },
  async "a webhook of one subaccount"() {
    await page.goto(`${base}/#/new`);
    await page.getByLabel("Webhook name").fill("of seven");
    await page.getByLabel("Target URL").fill(`${receiver.url}/seven`);
    await page.getByLabel("Except subaccounts").fill(HOSTILE);
    await button("Create webhook").click();
    await isShown("exception_subaccounts[0] is not the number of a subaccount");
    await page.getByLabel("Takes events of").selectOption({ label: "One subaccount" });
    assert.equal(await page.getByLabel("Except subaccounts").isVisible(), false);
    await page.getByLabel(/^Subaccount/).fill("<b>seven</b>");
    await button("Create webhook").click();
    await isShown("The subaccount must be a number.");
    await page.getByLabel(/^Subaccount/).fill("7");
    await picture("form-subaccount");
    await button("Create webhook").click();
    await page.waitForURL(/#\/webhooks\/[^/]+$/);
    await isShown("Subaccount 7");
    host.push("delivery", { rcpt_to: "of-seven@example.com", subaccount_id: 7 });
    await until(() => receiver.requests.some((r) => r.url === "/seven" && r.body.includes("of-seven@example.com")), "its batch");
    await page.getByRole("link", { name: "Edit", exact: true }).click();
    assert.equal(await page.getByLabel(/^Subaccount/).inputValue(), "7");
    await page.getByLabel("Takes events of").selectOption({ label: "The primary account only" });
    await button("Save changes").click();
    await page.waitForURL(/#\/webhooks\/[^/]+$/);
    await isShown("Primary account only");
    await page.getByRole("link", { name: "Webhooks" }).first().click();
    await page.getByLabel("Search webhooks").fill("primary account");
    assert.equal(await page.locator(".list tbody tr").count(), 1);
    await page.getByLabel("Search webhooks").fill("");
    await page.getByRole("link", { name: "of seven" }).click();
    await button("Delete").click();
    await isShown("or 1s is over");
    await button("Delete webhook").click();
    await page.getByRole("link", { name: NAME_SHOWN }).waitFor();
  },
  async "search and sort"() {
    await page.getByLabel("Search webhooks").fill("no such webhook");
    await isShown("Nothing found");
    await page.getByLabel("Search webhooks").fill("script onerror");
    await page.locator(".list tbody tr").waitFor();
    await page.getByLabel("Sort by").selectOption("state");
    await page.getByLabel("Search webhooks").fill("");
  },
  async "a failed batch, a failed badge and a dead letter"() {
    receiver.mode = { status: 503, body: HOSTILE };
    await page.getByRole("link", { name: NAME_SHOWN }).click();
    for (let i = 0; i < 3; ++i) host.push("delivery", { rcpt_to: `lost${i}@example.com`, subject: HOSTILE });
    await page.locator("table.batches .badge.failed").first().waitFor();
    await page.locator(".title .badge.failed").waitFor();
    await picture("webhook");
    await page.getByText(/^With failures/).click();
    await page.locator("table.batches .badge.failed").first().waitFor();
    await page.getByRole("link", { name: "Dead letters of this webhook" }).click();
    await until(async () => {
      if (await button("Replay").count()) return true;
      await page.reload();
      await page.waitForTimeout(300);
      return false;
    }, "a dead letter");
    await button("Look").first().click();
    await isShown("lost0@example.com");
    assert.ok((await dialog().locator("pre").textContent()).includes("window.hacked"));
    await unharmed("records");
    await page.keyboard.press("Escape");
    await picture("dead-letters");
  },
  async "a dead letter is replayed and arrives"() {
    receiver.mode = { status: 200, body: "OK" };
    const before = receiver.requests.length;
    await button("Replay").first().click();
    await isShown("1 batch will be sent again.");
    await until(() => receiver.requests.slice(before).some((r) => r.body.includes("lost0@example.com")), "the replayed batch");
    await isShown("No dead letters");
  },
  async "pause, resume and retry"() {
    await page.goto(`${base}/#/webhooks/${encodeURIComponent(this.id)}`);
    await button("Pause").click();
    await page.locator(".badge.state-paused").waitFor();
    host.push("delivery", { rcpt_to: "held@example.com" });
    await until(async () => /^[1-9]/.test(await page.locator(".stats .stat", { hasText: "Waiting" }).locator(".big").textContent()), "a waiting batch");
    await button("Resume").click();
    await until(() => receiver.requests.some((r) => r.body.includes("held@example.com")), "the held batch");
    await button("Retry now").click();
    await isShown("What waits is tried at once.");
  },
  async "a view key may look and not change"() {
    const other = await browser.newContext();
    const viewer = await other.newPage();
    await viewer.goto(base);
    await viewer.getByLabel("API key").fill(await host.line("key view "));
    await viewer.keyboard.press("Enter");
    await viewer.getByRole("link", { name: NAME_SHOWN }).click();
    await viewer.getByRole("button", { name: "Pause", exact: true }).click();
    await viewer.getByText("This key may look, but not change anything").waitFor();
    await other.close();
  },
  async "delete warns of the retry period, then deletes"() {
    await button("Delete").click();
    await isShown("your endpoint may get data that long");
    await picture("delete");
    await button("Delete webhook").click();
    await isShown("No webhooks yet");
  },
  async "log out forgets the key"() {
    await button("Log out").click();
    await page.getByLabel("API key").waitFor();
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  },
};

let failed = null;
const shared = {};
for (const [name, step] of Object.entries(steps)) {
  try {
    await step.call(shared);
    console.log(`ok: ${name}`);
  } catch (error) {
    failed = error;
    console.log(`FAILED: ${name}\n${error.stack}`);
    await page.screenshot({ path: path.join(output, "failed.png"), fullPage: true });
    break;
  }
}
await browser.close();
const code = await host.end();
receiver.server.closeAllConnections();
receiver.server.close();
fs.rmSync(folder, { recursive: true });
try {
  if (!failed) {
    assert.deepEqual(complaints, [], "the console has complaints");
    assert.deepEqual(foreign, [], "the page asked other servers");
    assert.equal(code, 0, "the host ended with an error");
    assert.deepEqual(host.lines.filter((line) => line.includes(key) && !line.startsWith("key ")), [], "the log has the key");
  }
} catch (error) {
  failed = error;
  console.log(error.stack, complaints);
}
process.exit(failed ? 1 : 0);
