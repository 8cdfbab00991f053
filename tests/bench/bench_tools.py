"""What the measuring programs of the benchmarks share: the sink, a run, medians, and the judgement of a ratio."""
import json
import statistics
import subprocess
from pathlib import Path

NOISE = 0.10  # how much a target may be missed by before it counts, see docs/benchmarks.md


class RunFailed(Exception):
    """A program did not end well, or not every event arrived."""


class Sink:
    """The receiver, for as long as a `with` lasts."""

    def __init__(self, folder, core=None, options=()):
        pinned = [] if core is None else ["taskset", "-c", str(core)]
        self.command = [*pinned, str(Path(folder) / "bench_sink"), "--port", "0", "--marker", '"eid":', *options]
        self.process = None
        self.port = 0

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening 127.0.0.1:"):
            self.process.kill()
            self.process.communicate()
            raise RunFailed("the sink did not start")
        self.port = int(line.rsplit(":", 1)[1])
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Ends it, once; returns its last counters."""
        if self.process.stdout.closed:
            return {}
        self.process.terminate()
        return json.loads(self.process.communicate()[0])


def run(folder, port, command, *keys):
    """Runs one program and returns its line of JSON as a dictionary."""
    program, *own_keys = command
    arguments = [str(Path(folder) / program), f"port={port}", *own_keys, *keys]
    try:
        result = subprocess.run(arguments, text=True, capture_output=True, timeout=300, check=False)
    except subprocess.TimeoutExpired as error:
        raise RunFailed(f"{' '.join(arguments)} did not end") from error
    lines = result.stdout.strip().splitlines()
    try:
        measured = json.loads(lines[-1])
    except (IndexError, ValueError):
        measured = {}
    if result.returncode or not measured.get("complete"):
        raise RunFailed(f"{' '.join(arguments)} ended with {result.returncode}\n{result.stdout}{result.stderr}")
    return measured


def median(runs, field):
    return statistics.median(one[field] for one in runs)


def spread(runs, others, field):
    """The lowest and the highest ratio of one round."""
    ratios = [one[field] / other[field] for one, other in zip(runs, others)]
    return min(ratios), max(ratios)


class Verdicts:
    """Collects (row, line) for each target, and whether one that binds was missed."""

    def __init__(self):
        self.lines = []
        self.is_missed = False

    def add(self, row, text, value, *, must=None, stretch=None, is_least=False, binds=False, noise=NOISE, digits=2,
            extra=""):
        """is_least: the value must be at least the target, else at most. binds: a miss is the script's failure."""
        def reaches(target):
            return target is not None and (value >= target if is_least else value <= target)

        allowed = None if must is None else must * (1 - noise if is_least else 1 + noise)
        if reaches(stretch):
            verdict = "stretch reached"
        elif must is None:
            verdict = "stretch not reached"
        elif reaches(must):
            verdict = "must reached"
        elif reaches(allowed):
            verdict = f"must reached within the noise of {noise:.0%}"
        else:
            verdict = "MISSED"
            self.is_missed = self.is_missed or binds
        sign = ">=" if is_least else "<="
        targets = "".join("         " if target is None else f"{sign} {target:<6g}" for target in (must, stretch))
        self.lines.append((row, f"{row:>3}  {text:<57} {value:8.{digits}f}   {targets}{verdict}"
                                f"{', ' + extra if extra else ''}"))


def say(*lines):
    print(*lines, sep="\n", flush=True)
