#!/usr/bin/env python3
"""Runs the library beside what it is compared with, in rounds, and judges the ratios. See docs/benchmarks.md.

Usage: run_bench.py FOLDER_OF_PROGRAMS [--quick | --isolation] [--rounds N] [--events N]
  --quick     throughput, CPU time and memory only; without it also the duration of single pushes, and --isolation
  --isolation  only what healthy webhooks and hosts feel of bad endpoints
  --rounds N  how often every program runs; 5 (9 without --quick) when not given
  --events N  events of one throughput run; 3000000 when not given
Exit status: 1 when a target that must be reached was missed, 2 when a run could not be made or lost an event.
"""
import argparse
import os
import platform
import statistics
import sys
from pathlib import Path

import isolation
from bench_tools import NOISE, RunFailed, Sink, Verdicts, median, run, say, spread

SENDER_CORE, SINK_CORE = 0, 1

REFERENCE = ("reference_bench",)
TRUSTED = ("posthaste_bench", "mode=trusted")
# In the order of a round.
CONTESTANTS = {
    "ref": REFERENCE,
    "ref + RapidJSON": (*REFERENCE, "validate=rapidjson"),
    "ref + simdjson": (*REFERENCE, "validate=simdjson"),
    "raw libcurl": ("libcurl_bench",),
    "posthaste trusted": TRUSTED,
    "posthaste checked": ("posthaste_bench", "mode=checked"),
}
PACED = {"ref": REFERENCE, "posthaste trusted": TRUSTED}
PACED_KEYS = ("n=500000", "rate=100000")
CROWD_KEYS = ("n=1000000", "threads=4", "intake.max_bytes=1GiB")

# A sink that answers after 20 ms takes at most 500,000 events a second in batches of 10,000.
SLOW_KEYS = ("path=/delay/20", "distinct=200000")
MEMORY_RUNS = {
    "32 + 32 MiB": {"n": 800_000, "intake_mib": 32, "waiting_mib": 32},
    "64 + 64 MiB": {"n": 1_000_000, "intake_mib": 64, "waiting_mib": 64},
    "256 + 256 MiB": {"n": 2_000_000, "intake_mib": 256, "waiting_mib": 256},
}


def judge_throughput(verdicts, placement, runs):
    """Rows 1 to 3 for one placement. runs: contestant -> measured runs, one each round."""
    rate, cpu = "delivered_per_s", "cpu_us_per_event"

    def compare(row, text, own, other, field, **targets):
        low, high = spread(runs[own], runs[other], field)
        verdicts.add(row, f"{text}, {placement}", median(runs[own], field) / median(runs[other], field),
                     extra=f"rounds {low:.2f} to {high:.2f}", **targets)

    compare(1, "delivered, trusted / ref", "posthaste trusted", "ref", rate,
            must=0.7, stretch=0.9, is_least=True, binds=True)
    compare(2, "CPU per event, trusted / ref", "posthaste trusted", "ref", cpu, must=1.4, stretch=1.15)
    compare(3, "delivered, checked / (ref + RapidJSON)", "posthaste checked", "ref + RapidJSON", rate,
            must=2.0, is_least=True)
    compare(3, "delivered, checked / (ref + simdjson)", "posthaste checked", "ref + simdjson", rate,
            stretch=0.9, is_least=True)

def judge_memory(verdicts, name, measured, limit_mib):
    added_mib = measured["memory_added_kib"] / 1024
    verdicts.add(7, f"memory added in MiB, slow receiver, {name}", added_mib, must=limit_mib + 16,
                 stretch=limit_mib + 8, binds=True, noise=0, digits=1,
                 extra=f"queue full {measured['queue_full']} times")


def judge_calls(verdicts, paced, crowd):
    """Rows 5 and 6, from the medians of the rounds."""
    own, ref = paced["posthaste trusted"], paced["ref"]
    for name, field in (("p50", "call_p50_ns"), ("p99", "call_p99_ns")):
        verdicts.add(5, f"push {name}, paced 100 k/s, {median(own, field):.0f} ns / ref {median(ref, field):.0f} ns",
                     median(own, field) / median(ref, field), must=2.0, stretch=1.2)
    verdicts.add(5, f"push p99.9, paced 100 k/s, in us; ref {median(ref, 'call_p999_ns') / 1000:.1f}",
                 median(own, "call_p999_ns") / 1000, must=5, stretch=2)
    for name, field, must, stretch in (("p99", "call_p99_ns", 2, 1), ("p99.9", "call_p999_ns", 10, 5)):
        verdicts.add(6, f"push {name}, 4 producers flat out, in us", median(crowd, field) / 1000, must=must,
                     stretch=stretch)


def table(placement, runs):
    lines = [f"{placement:<20} {'delivered':>12} {'lowest to highest':>20} {'CPU':>8} {'memory':>8} {'call p50':>9} "
             f"{'p99':>8} {'p99.9':>8}",
             f"{'':<20} {'k events/s':>12} {'':>20} {'us/event':>8} {'MiB':>8} {'ns':>9} {'ns':>8} {'ns':>8}"]
    for name, measured in runs.items():
        rates = [one["delivered_per_s"] / 1000 for one in measured]
        cells = [f"{name:<20} {statistics.median(rates):12,.0f} {f'{min(rates):,.0f} to {max(rates):,.0f}':>20} "
                 f"{median(measured, 'cpu_us_per_event'):8.3f}"]
        if "call_p50_ns" in measured[0]:
            cells.append(f"{median(measured, 'memory_added_kib') / 1024:8.0f} {median(measured, 'call_p50_ns'):9,.0f} "
                         f"{median(measured, 'call_p99_ns'):8,.0f} {median(measured, 'call_p999_ns'):8,.0f}")
        lines.append(" ".join(cells))
    return lines


def measure_throughput(folder, rounds, events):
    """Returns placement -> contestant -> runs. One sink for each placement; the one not in use is idle."""
    placements = {"pinned": (SINK_CORE, (f"cpu={SENDER_CORE}",)), "free": (None, ())}
    runs = {placement: {name: [] for name in CONTESTANTS} for placement in placements}
    with Sink(folder, SINK_CORE) as pinned, Sink(folder) as free:
        sinks = {"pinned": pinned, "free": free}
        for number in range(1, rounds + 1):
            for placement, (_, keys) in placements.items():
                for name, command in CONTESTANTS.items():
                    measured = run(folder, sinks[placement].port, command, f"n={events}", *keys)
                    runs[placement][name].append(measured)
                rates = "  ".join(f"{name} {of[-1]['delivered_per_s'] / 1000:,.0f}"
                                  for name, of in runs[placement].items())
                say(f"round {number} of {rounds}, {placement}, k events/s: {rates}")
    return runs


def measure_memory(folder):
    """Returns name -> (run, configured limit in MiB)."""
    found = {}
    with Sink(folder) as sink:
        for name, wanted in MEMORY_RUNS.items():
            intake, waiting = wanted["intake_mib"], wanted["waiting_mib"]
            keys = [*SLOW_KEYS, f"n={wanted['n']}", f"intake.max_bytes={intake}MiB", f"waiting.max_bytes={waiting}MiB"]
            if waiting < 64:
                # A webhook's share is at least four of its largest batches.
                keys += [f"webhook.max_waiting_bytes={waiting}MiB", f"batch.max_bytes={waiting // 4}MiB"]
            measured = run(folder, sink.port, TRUSTED, *keys)
            if measured["queue_full"] == 0:
                raise RunFailed(f"memory, {name}: the queue never filled, so nothing was measured")
            found[name] = (measured, intake + waiting)
    return found


def measure_calls(folder, rounds):
    paced = {name: [] for name in PACED}
    crowd = []
    with Sink(folder) as sink:
        for number in range(1, rounds + 1):
            for name, command in PACED.items():
                paced[name].append(run(folder, sink.port, command, *PACED_KEYS))
            crowd.append(run(folder, sink.port, TRUSTED, *CROWD_KEYS))
            say(f"round {number} of {rounds}, single pushes done")
    return paced, crowd


def describe_machine():
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    load = os.getloadavg()[0]
    say(f"{os.cpu_count()} cores, {model}, Linux {platform.release()}, load {load:.1f}")
    if load > 0.5:
        say("warning: something else is running; figures of a busy machine mean little")


def measure_speed(options, rounds, verdicts):
    """Rows 1 to 3 and 7, and without --quick 5 and 6; prints the tables."""
    say(f"Every run sends {options.events:,} distinct events of 500 bytes by two threads in batches of 10,000 to a",
        "receiver on loopback. pinned: sender on core 0, receiver on core 1; free: both anywhere. The programs take",
        "turns; ratios are of the medians. Absolute figures of two sittings are not comparable.", "")
    throughput = measure_throughput(options.folder, rounds, options.events)
    memory = measure_memory(options.folder)
    calls = None if options.quick else measure_calls(options.folder, rounds)
    for placement, runs in throughput.items():
        say("", *table(placement, runs))
        judge_throughput(verdicts, placement, runs)
    for name, (measured, limit_mib) in memory.items():
        judge_memory(verdicts, name, measured, limit_mib)
    if calls:
        judge_calls(verdicts, *calls)


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("Usage: ", 1)[1])
    parser.add_argument("folder")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--quick", action="store_true")
    only.add_argument("--isolation", action="store_true")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--events", type=int, default=3_000_000)
    options = parser.parse_args()
    rounds = options.rounds or (5 if options.quick or options.isolation else 9)
    if len(os.sched_getaffinity(0)) < 2:
        say("two cores are needed: one for the receiver, one for the sender")
        return 2

    describe_machine()
    verdicts = Verdicts()
    try:
        if not options.isolation:
            measure_speed(options, rounds, verdicts)
        if not options.quick:
            neighbours = isolation.measure_neighbours(options.folder, isolation.NEIGHBOURS_RUNS * rounds)
            hanging = isolation.measure_hanging(options.folder, rounds)
            isolation.judge_neighbours(verdicts, neighbours)
            isolation.judge_hanging(verdicts, hanging)
    except RunFailed as failure:
        say(f"run_bench.py: {failure}")
        return 2

    say("", f"{'row':>3}  {'target':<57} {'measured':>8}   {'must':<9}{'stretch':<9}verdict",
        *(text for _, text in sorted(verdicts.lines, key=lambda line: line[0])),
        "", "The limit of rows 7 and 18 is intake.max_bytes + waiting.max_bytes; what is added includes the rest of the",
        f"engine. A ratio of rows 1 to 6 that misses its must by up to {NOISE:.0%} counts as reached: runs of one",
        "program differ by as much.")
    if rounds < 5:
        say(f"{rounds} rounds are too few to judge by; take 5 or more.")
    say("rows 1, 7, 17 and 18, as far as measured: " + ("MISSED" if verdicts.is_missed else "every must is reached"))
    return 1 if verdicts.is_missed else 0


if __name__ == "__main__":
    sys.exit(main())
