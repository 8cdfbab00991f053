"""Events over HTTP: documentation and samples of the original, and pushing them."""

import json
import pathlib
import unittest

from api_case import ApiTest, wait_until

BASE = "/api/v1/webhooks"
EVENTS = "/api/v1/events"
NDJSON = "application/x-ndjson"
CLASSES = {
    "message_event": ["injection", "delivery", "bounce", "out_of_band", "delay", "policy_rejection",
                      "spam_complaint", "sms_status"],
    "track_event": ["open", "click", "initial_open", "amp_open", "amp_click", "amp_initial_open"],
    "gen_event": ["generation_failure", "generation_rejection"],
    "unsubscribe_event": ["list_unsubscribe", "link_unsubscribe"],
    "relay_event": ["relay_injection", "relay_rejection", "relay_delivery", "relay_tempfail",
                    "relay_permfail"],
    "ab_test_event": ["ab_test_completed", "ab_test_cancelled"],
    "ingest_event": ["success", "error"],
    "adaptive_event": ["ad_status", "ad_adjust"]}


class CatalogueTest(ApiTest):
    def test_the_documentation_has_every_class_and_type_in_the_originals_shape(self):
        documentation = self.api.get(BASE + "/events/documentation", key="").results
        self.assertEqual({name: sorted(each["events"]) for name, each in documentation.items()},
                         {name: sorted(types) for name, types in CLASSES.items()})
        for name, each in documentation.items():
            self.assertEqual(list(each), ["display_name", "description", "events"])
            for type_name, event in each["events"].items():
                self.assertEqual(list(event), ["display_name", "description", "event"])
                for field, about in event["event"].items():
                    self.assertEqual(list(about), ["description", "sampleValue"], (type_name, field))
                self.assertEqual(event["event"]["type"]["sampleValue"], type_name)
        self.assertEqual(documentation["message_event"]["display_name"], "Message Events")
        bounce = documentation["message_event"]["events"]["bounce"]
        self.assertEqual((bounce["display_name"], bounce["event"]["bounce_class"]["sampleValue"]), ("Bounce", "1"))
        self.assertEqual(self.api.get(BASE + "/events/documentation/", key="").results, documentation)

    def test_samples_without_a_choice_are_one_of_every_type(self):
        samples = self.api.get(BASE + "/events/samples", key="").results
        found = {}
        for record in samples:
            self.assertEqual(list(record), ["msys"])
            (name, event), = record["msys"].items()
            found.setdefault(name, []).append(event["type"])
        self.assertEqual({name: sorted(types) for name, types in found.items()},
                         {name: sorted(types) for name, types in CLASSES.items()})

    def test_samples_of_chosen_types(self):
        samples = self.api.get(BASE + "/events/samples/?events=bounce,open", key="").results
        self.assertEqual(sorted(event["type"] for record in samples for event in record["msys"].values()),
                         ["bounce", "open"])
        bounce = next(record["msys"]["message_event"] for record in samples if "message_event" in record["msys"])
        self.assertEqual(bounce["bounce_class"], "1")
        self.assertRegex(bounce["timestamp"], r"^\d+$")

    def test_a_sample_of_a_type_that_does_not_exist_is_refused(self):
        for names in ("nope", "bounce,nope", "bounce,,open", ",", "%2C", "BOUNCE"):
            self.assert_error(self.api.get(f"{BASE}/events/samples?events={names}", key=""), 400, code="1200",
                              message="invalid parameter", description="events names a type that does not exist")

    def test_samples_can_be_pushed_and_arrive_as_they_were(self):
        self.create(events=["*"])
        samples = self.api.get(BASE + "/events/samples", key="").results
        self.api.push(*samples)
        path = self.path()
        wait_until(lambda: len(self.receiver.events(path)) >= len(samples), "the samples")
        came = [record for request in self.receiver.requests(path) for record in request.json if record["msys"]]
        for record, sample in zip(came, samples):
            (name, event), = sample["msys"].items()
            # Each event gets an id unless it has one.
            given = event.get("event_id") or record["msys"][name]["event_id"]
            self.assertEqual(record, {"msys": {name: {**event, "event_id": given}}})

    def test_events_and_documentation_are_no_ids(self):
        self.assertEqual(self.api.get(BASE + "/events").status, 404)
        self.assertEqual(self.api.delete(BASE + "/events/samples").status, 405)


class IngestTest(ApiTest):
    def push(self, lines, query=""):
        return self.api.post(EVENTS + query, lines, content_type=NDJSON)

    def test_good_lines_are_taken_and_bad_ones_are_told_by_number_and_reason(self):
        self.create(events=["delivery", "bounce"])
        answer = self.push('{"type":"delivery","n":1}\r\n\n{"bad":1}\nnope\n'
                           '{"msys":{"message_event":{"type":"bounce","n":2}}}\n'
                           '{"type":"nope"}\n{"type":"delivery","n":3}')
        results = answer.results
        self.assertEqual((results["accepted"], results["refused"], results["lines"]), (3, 3, 7))
        self.assertEqual([each["line"] for each in results["errors"]], [3, 4, 6])
        for each in results["errors"]:
            self.assertNotIn("\n", each["message"])
        events = self.receiver.wait_for_events(self.path(), 3)
        self.assertEqual([event["n"] for event in events], [1, 2, 3])

    def test_an_empty_body_is_no_event(self):
        for body in ("", "\n", " \r\n\n"):
            results = self.push(body).results
            self.assertEqual((results["accepted"], results["refused"], results["errors"]), (0, 0, []))

    def test_lines_made_to_hurt_are_refused_alone(self):
        lines = [b"\x00", b"\xff\xfe", b"[" * 100_000, b'{"type":"delivery","x":' + b"[" * 100 + b"]" * 100 + b"}",
                 b'{"type":"delivery","type":"bounce"}', b'{"msys":{}}', b'{"msys":[]}', b'{"msys":{"x":{"type":1}}}',
                 b'{"type":"delivery","x":"' + b"y" * (2 << 20) + b'"}', b'{"type":"delivery","x":"\xff"}', b"null"]
        for line in lines:
            results = self.push(line + b'\n{"type":"delivery"}\n').results
            self.assertEqual((results["accepted"], results["refused"]), (1, 1), line[:40])

    def test_a_thousand_bad_lines_are_counted_and_a_hundred_explained(self):
        results = self.push("nope\n" * 1000).results
        self.assertEqual((results["refused"], len(results["errors"])), (1000, 100))

    def test_another_content_type_is_refused(self):
        answer = self.api.post(EVENTS, '{"type":"delivery"}', content_type="application/json")
        self.assert_error(answer, 415, message="Unsupported Media Type", code="1700",
                          description="the body must be application/x-ndjson")
        self.assertEqual(self.api.post(EVENTS + "/", '{"type":"delivery"}', content_type=None).status, 200)

    def test_sync_is_true_or_false_and_needs_a_disk(self):
        self.assertEqual(self.push('{"type":"delivery"}', "?sync=false").status, 200)
        self.assert_error(self.push("", "?sync=yes"), 400, message="invalid parameter", code="1200",
                          description="sync must be true or false")
        answer = self.push('{"type":"delivery"}', "?sync=true")
        self.assertEqual((answer.status, answer.error["message"], answer.error["code"]),
                         (409, "resource conflict", "1602"))

    def test_a_bound_key_pushes_nothing(self):
        bound = self.by(self.api.new_key("modify", 7))
        self.assert_error(bound.post(EVENTS, "", content_type=NDJSON), 403, message="Forbidden")


class DurableIngestTest(ApiTest):
    settings = {"spool.dir": "FOLDER/spool"}

    def test_a_synced_answer_comes_when_the_events_are_on_disk(self):
        self.create()
        results = self.api.push(*[{"type": "delivery", "n": number} for number in range(100)],
                                target=EVENTS + "?sync=true").results
        self.assertEqual((results["accepted"], results["refused"]), (100, 0))
        journal = b"".join(each.read_bytes() for each in pathlib.Path(self.folder).glob("spool/**/*")
                           if each.is_file())
        self.assertIn(b'"n": 99', journal)
        self.assertEqual([event["n"] for event in self.receiver.wait_for_events(self.path(), 100)],
                         list(range(100)))


class FullQueueTest(ApiTest):
    settings = {"intake.max_bytes": "4MiB"}

    def test_a_full_queue_answers_503_and_lines_tells_where_to_resume(self):
        self.create(settings={"batch.max_bytes": "1MiB"})
        lines = [json.dumps({"type": "delivery", "n": number, "pad": "x" * 60_000}) + "\n"
                 for number in range(400)]
        done, refusals = 0, 0
        while done < len(lines):
            answer = self.api.post(EVENTS, "".join(lines[done:]), content_type=NDJSON)
            results = answer.json["results"]
            self.assertEqual((results["accepted"], results["refused"], results["errors"]),
                             (results["lines"], 0, []))
            done += results["lines"]
            if answer.status == 503:
                refusals += 1
                self.assertGreater(int(answer.headers["Retry-After"]), 0)
            else:
                self.assertEqual(answer.status, 200)
        self.assertGreater(refusals, 0)
        events = self.receiver.wait_for_events(self.path(), len(lines))
        self.assertEqual([event["n"] for event in events], list(range(len(lines))))


if __name__ == "__main__":
    unittest.main()
