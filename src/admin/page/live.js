// Live figures: asks for the statistics every few seconds while somebody looks. The server keeps the
// events per minute of the last hour, so that a chart is whole as soon as it is there.
import { stats } from "./api.js";

const INTERVAL_MS = 3000;

const listeners = new Set();
let timer = 0;
let last = null;
let running = false;

async function tick() {
  clearTimeout(timer);
  if (!running || document.hidden) return;
  try {
    last = await stats();
    for (const listener of [...listeners]) listener(last);
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
}

export const statsOf = (sample, id) => sample && sample.webhooks.find((w) => w.id === id);

// Events per minute, oldest first. The last is of the last sixty seconds: of the minute under way,
// and of as much of the one before as they reach back to. Empty before the first sample.
export function rates(id) {
  const now = statsOf(last, id);
  if (!now) return [];
  const { events_per_minute: minutes, seconds } = now.history;
  const [before, underWay] = [minutes.at(-2) ?? 0, minutes.at(-1) ?? 0];
  return [...minutes.slice(0, -1), underWay + (before * (60 - seconds)) / 60];
}
export const rate = (id) => rates(id).at(-1) ?? null;
