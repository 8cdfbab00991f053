"""What healthy webhooks and hosts feel of bad endpoints: rows 17 and 18 of docs/benchmarks.md."""
import tempfile

from bench_tools import Sink, median, run, say, spread

NEIGHBOURS = ("neighbours_bench",)
# Many short runs: what else happens on the machine for a moment spoils few of them.
NEIGHBOURS_KEYS = ("batch.max_age=20ms", "seconds=5")
NEIGHBOURS_RUNS = 3  # of each set-up in a round
HANGING = ("hanging_bench",)
# Eight times the intake in events of 500 bytes, by two threads.
HANGING_KEYS = ("n=536871", "rate=20000", "distinct=200000", "webhooks=2", "intake.max_bytes=32MiB",
                "log.level=off")
HANGING_LIMIT_MIB = 32 + 256
ACCEPTED_LEAST = 0.999


def measure_neighbours(folder, pairs, keys=NEIGHBOURS_KEYS):
    """Returns "alone" and "beside" -> runs, by turns."""
    runs = {"alone": [], "beside": []}
    with Sink(folder, options=["--ages"]) as healthy:
        for number in range(1, pairs + 1):
            for name, measured in runs.items():
                # Sinks of its own for each run: the slow one counts from its first request on.
                with Sink(folder) as dead, Sink(folder) as slow, tempfile.TemporaryDirectory(dir="/var/tmp") as spool:
                    beside = () if name == "alone" else (f"dead_port={dead.port}", f"slow_port={slow.port}")
                    measured.append(run(folder, healthy.port, NEIGHBOURS, f"directory={spool}", *beside, *keys))
            ages = "  ".join(f"{name} {of[-1]['age_p99_us'] / 1000:.1f}" for name, of in runs.items())
            say(f"pair {number} of {pairs}, age on arrival, p99 in ms: {ages}")
    return runs


def measure_hanging(folder, rounds, keys=HANGING_KEYS):
    """Returns "answering" and "hanging" -> runs, by turns."""
    paths = {"answering": "/x", "hanging": "/hang"}
    runs = {name: [] for name in paths}
    with Sink(folder) as sink:
        for number in range(1, rounds + 1):
            for name, path in paths.items():
                runs[name].append(run(folder, sink.port, HANGING, f"path={path}", *keys))
            pushes = "  ".join(f"{name} {of[-1]['call_p999_ns'] / 1000:.1f}" for name, of in runs.items())
            say(f"round {number} of {rounds}, one push, p99.9 in us: {pushes}")
    return runs


def judge_neighbours(verdicts, runs):
    alone, beside = runs["alone"], runs["beside"]
    for name, field, must in (("p50", "age_p50_us", None), ("p99", "age_p99_us", 1.1)):
        low, high = spread(beside, alone, field)
        verdicts.add(17, f"age on arrival {name}, beside / alone ({median(alone, field) / 1000:.1f} ms)",
                     median(beside, field) / median(alone, field), must=must, stretch=1.05, binds=must is not None,
                     noise=0, extra=f"rounds {low:.2f} to {high:.2f}")


def judge_hanging(verdicts, runs):
    answering, hanging = runs["answering"], runs["hanging"]
    field = "call_p999_ns"
    low, high = spread(hanging, answering, field)
    verdicts.add(18, f"push p99.9, hanging / answering ({median(answering, field) / 1000:.1f} us)",
                 median(hanging, field) / median(answering, field), must=10, stretch=2, binds=True, noise=0,
                 extra=f"rounds {low:.2f} to {high:.2f}")
    verdicts.add(18, "share of pushes accepted while all hang, the least of all runs",
                 min(one["accepted"] / one["events"] for one in hanging), must=ACCEPTED_LEAST, stretch=1,
                 is_least=True, binds=True, noise=0, digits=5)
    verdicts.add(18, "memory added in MiB while all hang, the most of all runs",
                 max(one["memory_added_kib"] for one in hanging) / 1024, must=HANGING_LIMIT_MIB + 16,
                 stretch=HANGING_LIMIT_MIB + 8, binds=True, noise=0, digits=1)
