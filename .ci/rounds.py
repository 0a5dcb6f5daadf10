#!/usr/bin/env python3
"""Clicks Buy Now again and again, each time after a reset, and counts how the rounds end.

    .ci/rounds.py http://127.0.0.1:3000 100 shipped|fixed

shipped: every round ends with 2 orders by 2 replicas, stock -1, median gap 40 to 110 ms.
fixed:   every round ends with 1 order, stock 0, and the other request was refused: 400 Out of stock.
Exit code 0 when every round did.
"""
import collections
import datetime
import json
import statistics
import sys
import urllib.parse
import urllib.request

base, rounds, expected = sys.argv[1], int(sys.argv[2]), sys.argv[3]


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect)


def post(path):
    """Sends an empty form; a redirect is the answer that is hoped for."""
    try:
        return opener.open(urllib.request.Request(base + path, method="POST", data=b""))
    except urllib.error.HTTPError as answer:
        if answer.code != 303:
            raise
        return answer


def get(path):
    return json.load(opener.open(base + path))


def attempts(answer):
    """What the page will say of the click's requests: the notice travels in a cookie."""
    cookie = answer.headers["Set-Cookie"].split(";")[0].partition("=")[2]
    return json.loads(urllib.parse.unquote(cookie))["Bought"]


ends = collections.Counter()
gaps = []
for _ in range(rounds):
    post("/reset")
    requests = attempts(post("/buy"))
    orders, stock = get("/api/orders"), get("/api/products")["quantity"]
    replicas = len({order["served_by"] for order in orders})
    answers = " + ".join(sorted(f"{request['status']}" for request in requests))
    ends[f"{len(orders)} orders by {replicas} replicas, stock {stock}, answers {answers}"] += 1
    times = sorted(datetime.datetime.fromisoformat(order["created_at"].replace("Z", "+00:00")) for order in orders)
    gaps += [(later - earlier).total_seconds() * 1000 for earlier, later in zip(times, times[1:])]

for end, count in ends.most_common():
    print(f"{count:4} of {rounds}: {end}")
gap = statistics.median(gaps) if gaps else None
if gap:
    print(f"gap between the two orders: median {gap:.1f} ms, {min(gaps):.1f} to {max(gaps):.1f} ms")

right = {
    "shipped": "2 orders by 2 replicas, stock -1, answers 200 OK + 200 OK",
    "fixed": "1 orders by 1 replicas, stock 0, answers 200 OK + 400 Bad Request",
}[expected]
passed = ends[right]
if expected == "shipped" and not (gap and 40 <= gap <= 110):
    passed = 0
print(f"{passed} passed, {rounds - passed} failed")
sys.exit(passed != rounds)
