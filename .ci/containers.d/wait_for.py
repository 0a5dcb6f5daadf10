#!/usr/bin/env python3
"""wait_for.py URL: ends when URL answers 200, at the latest after 30 s, and then with 1.

wait_for.py --always URL: asks every 20 ms until it is told to end (SIGTERM), and then says how many were answered 200.
Exit code 1 when one was not.
"""
import signal
import sys
import time
import urllib.request

url = sys.argv[-1]
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
ended = False


def end(*_):
    global ended
    ended = True


def status():
    try:
        return opener.open(url, timeout=10).status
    except OSError as error:
        return error


signal.signal(signal.SIGTERM, end)
if "--always" in sys.argv:
    answers = []
    while not ended:
        answers.append(status())
        time.sleep(0.02)
    bad = [answer for answer in answers if answer != 200]
    for answer in bad:
        print(answer)
    print(f"{len(answers)} asked meanwhile, {len(answers) - len(bad)} answered")
    sys.exit(bool(bad))
limit = time.monotonic() + 30
while status() != 200:
    if time.monotonic() > limit:
        sys.exit(f"error: {url}: {status()}")
    time.sleep(0.05)
