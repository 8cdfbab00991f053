#!/usr/bin/env python3
"""Shows that the programs of scripts/bench.sh run and tell sane numbers, and that its judgement fails what misses.

No figure is judged here: a test machine is busy with other tests. Usage: smoke_test.py FOLDER_OF_PROGRAMS
"""
import sys
import unittest

import isolation
import run_bench

EVENTS = 20_000
FOLDER = ""


class Programs(unittest.TestCase):
    def test_every_contestant_delivers_each_event_once(self):
        for name, command in run_bench.CONTESTANTS.items():
            with self.subTest(name):
                with run_bench.Sink(FOLDER, options=["--ids", "--max-id", str(EVENTS)]) as sink:
                    measured = run_bench.run(FOLDER, sink.port, command, f"n={EVENTS}")
                    seen = sink.stop()
                self.assertEqual(measured["delivered"], EVENTS)
                self.assertEqual(measured["requests"], EVENTS // 10_000)
                self.assertEqual((seen["events"], seen["out_of_range"]), (EVENTS, 0))
                # libcurl alone sends one prebuilt batch over and over.
                expected = EVENTS if name != "raw libcurl" else 10_000
                self.assertEqual(seen["unique"], expected)
                self.assertGreater(measured["delivered_per_s"], 0)
                self.assertGreater(measured["cpu_us_per_event"], 0)
                if "call_p50_ns" in measured:
                    self.assertGreater(measured["call_p50_ns"], 0)
                    self.assertGreaterEqual(measured["call_p999_ns"], measured["call_p99_ns"])
                    self.assertGreater(measured["memory_added_kib"], 0)

    def test_an_event_that_does_not_arrive_fails_the_run(self):
        with run_bench.Sink(FOLDER) as sink:
            with self.assertRaises(run_bench.RunFailed):
                run_bench.run(FOLDER, sink.port, run_bench.TRUSTED, f"n={EVENTS}", "path=/status/503", "idle=1",
                              "flush_ms=500")

    def test_a_wrong_key_fails_the_run(self):
        with run_bench.Sink(FOLDER) as sink:
            with self.assertRaisesRegex(run_bench.RunFailed, "batch.max_evnts"):
                run_bench.run(FOLDER, sink.port, run_bench.TRUSTED, "n=10", "batch.max_evnts=5")

    def test_the_sink_misbehaves_as_its_path_orders(self):
        keys = [f"n={EVENTS}", "path=/status/503/first/1", "retry.base=10ms", "batch.max_events=1000"]
        with run_bench.Sink(FOLDER) as sink:
            run_bench.run(FOLDER, sink.port, run_bench.TRUSTED, *keys)
            seen = sink.stop()
        self.assertEqual((seen["failed"], seen["requests"]), (1, EVENTS // 1000 + 1))


    def test_neighbours_are_measured_while_a_million_would_wait(self):
        keys = ("batch.max_age=20ms", "healthy=5", "rate=50", "seconds=1", "backlog=60000", "batch.max_events=500")
        runs = isolation.measure_neighbours(FOLDER, 1, keys)
        for name, measured in runs.items():
            with self.subTest(name):
                self.assertEqual(measured[0]["events"], 5 * 50)
                self.assertGreater(measured[0]["age_p50_us"], 0)
                self.assertGreaterEqual(measured[0]["age_p99_us"], measured[0]["age_p50_us"])
        self.assertEqual(runs["alone"][0]["waiting_before"], 0)
        self.assertGreater(runs["beside"][0]["waiting_before"], runs["beside"][0]["waiting_after"])

    def test_a_neighbour_whose_backlog_is_gone_fails_the_run(self):
        keys = ("batch.max_age=20ms", "healthy=2", "rate=50", "seconds=1", "backlog=100")
        with self.assertRaises(run_bench.RunFailed):
            isolation.measure_neighbours(FOLDER, 1, keys)

    def test_every_event_pushed_to_hanging_endpoints_is_accounted_for(self):
        runs = isolation.measure_hanging(FOLDER, 1, (f"n={EVENTS}", "rate=20000", "webhooks=2"))
        hanging, answering = runs["hanging"][0], runs["answering"][0]
        self.assertEqual((hanging["accepted"], hanging["delivered"], hanging["dropped"]), (EVENTS, 0, 2 * EVENTS))
        self.assertGreater(answering["delivered"], 0)
        self.assertEqual(answering["delivered"] + answering["dropped"], 2 * EVENTS)


def made_up(rates, cpu=1.0):
    """Runs of each contestant with one delivered rate a round."""
    return {name: [{"delivered_per_s": rate, "cpu_us_per_event": cpu}] * 3
            for name, rate in zip(run_bench.CONTESTANTS, rates)}


class Judgement(unittest.TestCase):
    def judged(self, trusted):
        verdicts = run_bench.Verdicts()
        run_bench.judge_throughput(verdicts, "pinned", made_up((1000, 200, 500, 2000, trusted, 400)))
        return verdicts

    def test_row_1_decides_with_the_noise_allowed_for(self):
        self.assertFalse(self.judged(700).is_missed)
        self.assertIn("within the noise", self.judged(631).lines[0][1])
        self.assertFalse(self.judged(631).is_missed)
        self.assertIn("MISSED", self.judged(629).lines[0][1])
        self.assertTrue(self.judged(629).is_missed)

    def test_rows_2_and_3_are_told_and_do_not_decide(self):
        verdicts = run_bench.Verdicts()
        runs = made_up((1000, 1000, 500, 2000, 1000, 460))
        runs["posthaste trusted"] = [{"delivered_per_s": 1000, "cpu_us_per_event": 9.0}] * 3
        run_bench.judge_throughput(verdicts, "free", runs)
        told = [(row, text.split("free")[1].split(",")[0].split()[-1]) for row, text in verdicts.lines]
        self.assertEqual(told, [(1, "reached"), (2, "MISSED"), (3, "MISSED"), (3, "reached")])
        self.assertFalse(verdicts.is_missed)

    def test_row_17_decides_without_an_allowance(self):
        alone = [{"age_p50_us": 10_000, "age_p99_us": 20_000}]
        for p99_us, is_missed in ((22_000, False), (22_300, True)):
            verdicts = run_bench.Verdicts()
            isolation.judge_neighbours(verdicts, {"alone": alone,
                                                  "beside": [{"age_p50_us": 90_000, "age_p99_us": p99_us}]})
            self.assertEqual(verdicts.is_missed, is_missed)

    def test_row_18_decides_by_time_by_acceptance_and_by_memory(self):
        well = {"events": 1000, "accepted": 1000, "call_p999_ns": 1000, "memory_added_kib": 1024}
        for change, is_missed in (({}, False), ({"call_p999_ns": 9_900}, False), ({"call_p999_ns": 10_100}, True),
                                  ({"accepted": 999}, False), ({"accepted": 998}, True),
                                  ({"memory_added_kib": (isolation.HANGING_LIMIT_MIB + 17) * 1024}, True)):
            verdicts = run_bench.Verdicts()
            isolation.judge_hanging(verdicts, {"answering": [well], "hanging": [{**well, **change}]})
            self.assertEqual(verdicts.is_missed, is_missed, change)

    def test_row_7_decides_without_an_allowance(self):
        for added_mib, is_missed in ((80, False), (81, True)):
            verdicts = run_bench.Verdicts()
            run_bench.judge_memory(verdicts, "32 + 32 MiB", {"memory_added_kib": added_mib * 1024, "queue_full": 1}, 64)
            self.assertEqual(verdicts.is_missed, is_missed)


if __name__ == "__main__":
    FOLDER = sys.argv.pop(1)
    unittest.main()
