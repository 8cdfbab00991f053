#!/usr/bin/env bash
# The main job on real input: starts a receiver and the example mail server, creates a webhook by the REST API, sends
# mail with curl, reads and clicks it, and shows the batch that arrives. Exit status 0 only if injection, delivery, open
# and click came with the message's one message_id. `--suppress TYPE` leaves one type out of the webhook, to see the demo fail;
# `--keep` leaves everything running at the end, so that the web page can be looked at.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib/setup.sh"

usage='usage: scripts/demo.sh [--keep | --suppress injection|delivery|open|click]'
types=(injection delivery open click)
keep=false
case "$#:${1-}" in
  0:) ;;
  1:--keep) keep=true ;;
  2:--suppress)
    case "$2" in
      injection | delivery | open | click) types=("${types[@]/$2/}") ;;
      *) die "$usage" ;;
    esac
    ;;
  1:--help) echo "$usage" && exit 0 ;;
  *) die "$usage" ;;
esac
# There is nobody to look at the page, or to end the demo.
[ -t 1 ] || keep=false

# POSTHASTE_BUILD names a finished build to use instead of making one (the tests do so).
build=${POSTHASTE_BUILD:-$POSTHASTE_ROOT/build/release}
if [ -z "${POSTHASTE_BUILD:-}" ]; then
  install_missing_packages build
  configure_and_build release mini_mta posthaste-receiver
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/posthaste-demo.XXXXXX")
pids=()
clean_up() {
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" || true; done
  rm -rf "$work"
}
trap clean_up EXIT

# Prints what follows a word at the start of a line of a file, waiting for it up to 20 s.
wait_for() {
  local file=$1 word=$2 found i
  for ((i = 0; i < 200; i++)); do
    found=$(sed -n "s|^$word ||p" "$file" 2>/dev/null | head -n 1)
    [ -z "$found" ] || { echo "$found" && return; }
    sleep 0.1
  done
  cat "$file" >&2
  die "waited 20 s in vain for '$word' in the output above"
}

# curl without the user's settings, which could change its user agent or send loopback to a proxy.
fetch() { curl --disable --noproxy '*' --silent --show-error "$@"; }

# send <recipient> <file>: sends a message over SMTP and prints its message_id, which the server tells as it accepts.
send() {
  fetch --verbose --crlf --mail-from news@shop.test --mail-rcpt "$1" --upload-file "$2" \
    "smtp://$smtp/client.example.test" 2>"$work/curl.log" || { cat "$work/curl.log" >&2 && die "no mail accepted"; }
  tr -d '\r' <"$work/curl.log" | sed -n 's/^< 250 2\.0\.0 accepted as //p'
}

# visit <attribute> <file>: fetches the last URL of ours in such an attribute of a delivered message and prints what was
# answered.
visit() {
  local url
  url=$(grep -o "$1=\"http://$http/t/[^\"]*" "$2" | tail -n 1 | cut -d '"' -f 2) || die "no tracking URL in the delivered message"
  fetch --output "$work/answer" --write-out "   curl ${url:0:80}...\n     -> %{http_code} %{content_type}%{redirect_url}\n" "$url"
}

token=demo-token-$RANDOM$RANDOM
echo
echo "1. A receiver stands for your application."
"$(find "$build" -type f -name posthaste-receiver -perm -u+x | head -n 1)" \
  --record "$work/record" >"$work/receiver.log" &
pids+=($!)
receiver=$(wait_for "$work/receiver.log" listening)
receiver=${receiver#http://}
echo "   It listens on http://$receiver"

echo "2. mini_mta is a mail server with Posthaste inside: library, REST API and web page in one process."
"$(find "$build" -type f -name mini_mta -perm -u+x | head -n 1)" --maildir "$work/mail" --users alice,bob \
  --domain example.test --api-port 0 --activation-delay 1s --batch-age 2s >"$work/mini_mta.log" &
mta=$!
pids+=("$mta")
smtp=$(wait_for "$work/mini_mta.log" smtp)
http=$(wait_for "$work/mini_mta.log" http)
api=$(wait_for "$work/mini_mta.log" api)
key=$(wait_for "$work/mini_mta.log" api-key)
echo "   It takes mail on smtp://$smtp, serves pixel and links on http://$http and its API on $api"

echo "3. A webhook is created; before that the receiver is tested with a POST, which it must answer by 200:"
body='{"name":"Example webhook","target":"http://'$receiver'/webhook","auth_token":"'$token'",'
body+='"events":['$(printf '%s\n' "${types[@]}" | sed '/./!d; s/.*/"&"/' | paste -s -d ,)']}'
fetch --output "$work/created" --write-out '%{http_code}' --request POST --header 'Content-Type: application/json' \
  --header "Authorization: $key" --data "$body" "$api/api/v1/webhooks/" >"$work/status"
echo "   curl -X POST $api/api/v1/webhooks/ -H 'Authorization: $key' \\"
echo "     -H 'Content-Type: application/json' -d '$body'"
echo "     -> $(cat "$work/status") $(cat "$work/created")"
[ "$(cat "$work/status")" = 200 ] || die "the webhook was not created"
for ((i = 0; i < 200; i++)); do
  fetch --header "Authorization: $key" "$api/api/v1/webhooks" >"$work/webhooks"
  ! grep -q '"state":"active"' "$work/webhooks" || break
  sleep 0.1
done
grep -q '"state":"active"' "$work/webhooks" || die "the webhook did not become active: $(cat "$work/webhooks")"
echo "   It takes events after webhook.activation_delay, a minute unless told otherwise; here a second."

echo "4. Two messages are sent over SMTP, one text/html, one multipart:"
cat >"$work/html.eml" <<'MAIL'
From: Shop <news@shop.test>
To: alice@example.test
Subject: Summer deals are here!
MIME-Version: 1.0
Content-Type: text/html; charset=utf-8

<html><body>
<p>Hello Alice, see <a href="https://shop.test/deals?season=summer&amp;id=7">our deals</a>.</p>
</body></html>
MAIL
cat >"$work/multipart.eml" <<'MAIL'
From: Shop <news@shop.test>
To: bob@example.test
Subject: =?utf-8?Q?Your_order_is_under_way_=E2=9C=93?=
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary="sep"

--sep
Content-Type: text/plain; charset=utf-8

Track it: https://shop.test/orders/42
--sep
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: quoted-printable

<html><body><a href=3D"https://shop.test/orders/42">Track it</a></body></html>
--sep--
MAIL
message_id=$(send alice@example.test "$work/html.eml")
other_id=$(send bob@example.test "$work/multipart.eml")
[ -n "$message_id" ] && [ -n "$other_id" ] || die "the server did not tell a message_id"
echo "   curl smtp://$smtp --mail-rcpt alice@example.test -> accepted, message_id $message_id"
echo "   curl smtp://$smtp --mail-rcpt bob@example.test   -> accepted, message_id $other_id"

echo "5. Alice's mail program loads the pixel of her copy, then she follows its link:"
copies=("$work"/mail/alice/new/*)
[ -f "${copies[0]}" ] || die "the message is not in alice's Maildir"
visit src "${copies[0]}"
visit href "${copies[0]}"

echo "6. Two seconds after its first event the batch is POSTed."
for ((i = 0; i < 200; i++)); do
  # The first request on record is the test.
  [ "$(wc -l <"$work/record")" -lt 2 ] || break
  sleep 0.1
done
if ! $keep; then
  # Ending both sends and writes down whatever is left, so that what is not on record now will never come.
  for pid in "$mta" "${pids[0]}"; do
    kill "$pid" && wait "$pid" || die "a program did not end well: $(cat "$work"/*.log)"
  done
  pids=()
fi
agent=curl/$(curl --disable --version | awk 'NR == 1 { print $2 }')
/usr/bin/python3 "$POSTHASTE_ROOT/scripts/lib/show_batch.py" "$work/record" "$message_id" "$other_id" "$token" "$agent"
if $keep; then
  echo "8. The page: $api/ with the API key $key"
  echo "   Ctrl-C ends the demo."
  wait "$mta"
fi
