// Two small charts as SVG: events per minute, and 24 hours of attempts.
import { svg } from "./dom.js";
import { count, milliseconds } from "./format.js";

const round = (value) => Math.round(value * 10) / 10;

// values: events per minute, oldest first; of the last `room` minutes.
export function sparkline(values, { width = 120, height = 32, room = 30 } = {}) {
  const shown = values.slice(-room);
  const highest = Math.max(1, ...shown);
  const step = width / room;
  const bars = shown.map((value, i) => {
    const size = Math.max(value > 0 ? 2 : 0, (value / highest) * (height - 3));
    const x = (room - shown.length + i) * step;
    return svg("rect", { x: round(x), y: round(height - 1 - size), width: round(step - 1), height: round(size), class: "spark" });
  });
  const last = shown.length ? shown[shown.length - 1] : 0;
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "sparkline", role: "img",
    "aria-label": `${count(Math.round(last))} events per minute now, ${count(Math.round(Math.max(0, ...shown)))} at most in the last ${room} minutes` },
  svg("line", { x1: 0, x2: width, y1: height - 0.5, y2: height - 0.5, class: "axis" }), bars);
}

const BUCKETS = 48;
const DAY = 24 * 3600 * 1000;

function bucketsOf(attempts, now) {
  const buckets = Array.from({ length: BUCKETS }, () => ({ good: 0, bad: 0, latencies: [] }));
  for (const attempt of attempts) {
    const age = now - attempt.time;
    if (age < 0 || age >= DAY) continue;
    const bucket = buckets[BUCKETS - 1 - Math.floor((age / DAY) * BUCKETS)];
    bucket[attempt.failed ? "bad" : "good"] += 1;
    bucket.latencies.push(attempt.latency);
  }
  return buckets;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length ? sorted[Math.floor(sorted.length / 2)] : null;
}

// attempts: {time, failed, latency}. Bars: batches by outcome, half an hour each; dots joined by a
// line: their median latency.
export function dayChart(attempts, now = Date.now()) {
  const [width, height, left, right, top, bottom] = [720, 200, 34, 56, 12, 24];
  const buckets = bucketsOf(attempts, now);
  const most = Math.max(1, ...buckets.map((b) => b.good + b.bad));
  const slowest = Math.max(1, ...buckets.map((b) => median(b.latencies) || 0));
  const plotWidth = width - left - right;
  const plotHeight = height - top - bottom;
  const step = plotWidth / BUCKETS;
  const y = (share) => round(top + plotHeight * (1 - share));
  const marks = [];
  const line = [];
  buckets.forEach((bucket, i) => {
    const x = left + i * step;
    const good = bucket.good / most;
    const bad = bucket.bad / most;
    if (good) marks.push(svg("rect", { x: round(x + 1), y: y(good), width: round(step - 2), height: round(plotHeight * good), class: "good" }));
    if (bad) marks.push(svg("rect", { x: round(x + 1), y: y(good + bad), width: round(step - 2), height: round(plotHeight * bad), class: "bad" }));
    const latency = median(bucket.latencies);
    if (latency !== null) line.push([round(x + step / 2), y((latency / slowest) * 0.92)]);
  });
  const grid = [0, 0.5, 1].map((share) => svg("line", { x1: left, x2: width - right, y1: y(share), y2: y(share), class: "grid" }));
  const hours = [24, 18, 12, 6, 0].map((hour) => svg("text", {
    x: round(left + plotWidth * (1 - hour / 24)), y: height - 6, "text-anchor": "middle" }, hour ? `−${hour} h` : "now"));
  const scales = [
    svg("text", { x: left - 6, y: y(1) + 4, "text-anchor": "end" }, count(most)),
    svg("text", { x: left - 6, y: y(0) + 4, "text-anchor": "end" }, "0"),
    svg("text", { x: width - right + 6, y: y(0.92) + 4, class: "latency-text" }, milliseconds(slowest)),
  ];
  const failed = attempts.filter((a) => a.failed).length;
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "day-chart", role: "img",
    "aria-label": `The last 24 hours: ${count(attempts.length)} batches, ${count(failed)} failed; slowest half hour ${milliseconds(slowest)}` },
  grid, marks,
  line.length > 1 && svg("polyline", { points: line.map((p) => p.join(",")).join(" "), class: "latency" }),
  line.map(([cx, cy]) => svg("circle", { cx, cy, r: 2.5, class: "latency-dot" })), hours, scales);
}
