// Live figures: asks for the statistics every few seconds while somebody looks, and keeps a short
// history of each webhook's events per minute.
import { stats } from "./api.js";

const INTERVAL_MS = 3000;
const HISTORY = 60;
// The figure beside a chart is of the last minute.
const MINUTE_SAMPLES = 60000 / INTERVAL_MS;

const listeners = new Set();
const history = new Map();
let timer = 0;
let last = null;
let running = false;

function remember(sample, time) {
  for (const webhook of sample.webhooks) {
    const kept = history.get(webhook.id) || { rates: [] };
    if (kept.time) {
      const minutes = (time - kept.time) / 60000;
      const fresh = Math.max(0, webhook.events.routed - kept.routed);
      kept.rates.push(minutes > 0 ? fresh / minutes : 0);
      if (kept.rates.length > HISTORY) kept.rates.shift();
    }
    kept.time = time;
    kept.routed = webhook.events.routed;
    history.set(webhook.id, kept);
  }
}

async function tick() {
  clearTimeout(timer);
  if (!running || document.hidden) return;
  try {
    const sample = await stats();
    remember(sample, performance.now());
    last = sample;
    for (const listener of [...listeners]) listener(sample);
  } catch {
    // The view's own calls tell what is wrong; the next tick tries again.
  }
  if (running) timer = setTimeout(tick, INTERVAL_MS);
}

document.addEventListener("visibilitychange", () => { if (!document.hidden) tick(); });

// Calls `listener` with each sample, the last one at once. Returns what ends that.
export function watch(listener) {
  listeners.add(listener);
  if (last) listener(last);
  return () => listeners.delete(listener);
}

export function start() {
  if (running) return;
  running = true;
  tick();
}

export function stop() {
  running = false;
  clearTimeout(timer);
  last = null;
  history.clear();
}

export const rates = (id) => (history.get(id) || { rates: [] }).rates;
export function rate(id) {
  const minute = rates(id).slice(-MINUTE_SAMPLES);
  return minute.length ? minute.reduce((sum, value) => sum + value, 0) / minute.length : null;
}
export const statsOf = (sample, id) => sample && sample.webhooks.find((w) => w.id === id);
