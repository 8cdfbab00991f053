"""Prints the batches that a receiver recorded, and checks that they tell the story of demo.sh.

usage: show_batch.py RECORD MESSAGE_ID OTHER_MESSAGE_ID TOKEN USER_AGENT
RECORD has one request a line, as posthaste-receiver --record writes it. Exit status 1 when a check fails.
"""

import json
import sys
import textwrap

TOKEN_HEADER = "X-MessageSystems-Webhook-Token"
PING = '[{"msys":{}}]'
NEEDED = ["injection", "delivery", "open", "click"]


def print_request(request):
    print(f"\n   {request['method']} {request['target']}")
    for name, value in request["headers"]:
        print(f"   {name}: {value}")
    print("\n   [")
    records = json.loads(request["body"])
    for index, record in enumerate(records):
        for event_class, event in record["msys"].items():
            pairs = ", ".join(f"{json.dumps(key)}:\xa0{json.dumps(value, ensure_ascii=False)}".replace(" ", "\xa0")
                              for key, value in event.items())
            # Only the blanks between the pairs may break.
            pairs = pairs.replace(",\xa0\"", ", \"")
            lines = textwrap.wrap(pairs, 92, break_long_words=False, break_on_hyphens=False)
            print(f'     {{"msys": {{"{event_class}": {{')
            for line in lines:
                print(("       " + line).replace("\xa0", " "))
            print("     }}}" + ("," if index + 1 < len(records) else ""))
    print("   ]\n")


def header(request, name):
    return next((value for key, value in request["headers"] if key.lower() == name.lower()), None)


def failures(requests, message_id, other_id, token, user_agent):
    """Yields a line for everything that is not as it must be."""
    events = [event for request in requests for record in json.loads(request["body"])
              for event in record["msys"].values()]
    for kind in NEEDED:
        found = [event for event in events if event["type"] == kind and event.get("message_id") == message_id]
        if not found:
            yield f"no {kind} event with message_id {message_id} arrived"
        for event in found:
            if kind in ("open", "click") and event.get("user_agent") != user_agent:
                yield f"the {kind} event has user agent {event.get('user_agent')} and not {user_agent}"
    strangers = {str(event.get("message_id")) for event in events} - {message_id, other_id}
    if strangers:
        yield f"events arrived with a message_id that was never sent: {', '.join(sorted(strangers))}"
    if not requests:
        yield "no batch arrived at all"
    for request in requests:
        if header(request, TOKEN_HEADER) != token:
            yield f"a batch did not carry the registered token in {TOKEN_HEADER}"


def main():
    record, message_id, other_id, token, user_agent = sys.argv[1:]
    try:
        with open(record, encoding="utf-8") as file:
            requests = [json.loads(line) for line in file]
    except FileNotFoundError:
        requests = []
    requests = [request for request in requests if request["body"] != PING]
    for request in requests:
        print_request(request)
    problems = list(failures(requests, message_id, other_id, token, user_agent))
    for problem in problems:
        print(f"demo failed: {problem}", file=sys.stderr)
    if problems:
        sys.exit(1)
    print(f"7. It is all there: {', '.join(NEEDED)} of message {message_id},")
    print(f"   {user_agent} as the reader, and the webhook's token in the headers. The demo succeeded.")


main()
