#!/usr/bin/env python3
"""Does faults to the shop's containers while buyers buy, and compares what they were told with the rows.

    .ci/containers.d/drill.py http://127.0.0.1:3000 PROJECT

Each buyer sends an Idempotency-Key. Where nobody knows whether an order was carried out, the buyer sends the same key
again until the answer says so, as README tells them. Afterwards the orders that the buyers know are the orders that
stand in the table: none more, none less. Exit code 0 when that held after each fault, when nobody was told anything
but what README promises, and when the shop sold again within the limit.
"""
import collections
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
import uuid

url, project = sys.argv[1:]
address = urllib.parse.urlsplit(url).netloc
COPIES = 1_000_000
BUYERS = 8
# Until the shop sells again, after what was cut is whole. PostgreSQL recovers, Docker restarts what has died.
SELLS_AGAIN_WITHIN = 15
LONGEST_WAIT = 12


def docker(*arguments):
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def container(service):
    labels = [f"label=com.docker.compose.project={project}", f"label=com.docker.compose.service={service}"]
    found = docker("ps", "--all", "--quiet", *(word for label in labels for word in ("--filter", label))).split()
    assert len(found) == 1, f"{len(found)} containers of {service}"
    return found[0]


def sql(statement):
    return docker("exec", container("postgres"), "psql", "--username=flash_sale", "-Atqc", statement)


def healthy(service):
    return docker("inspect", "--format", "{{.State.Health.Status}}", container(service)) == "healthy"


def shop_is_ready():
    try:
        return send("GET", "/ready")[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def wait_until(what, condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.1)


def send(method, path, body=None, headers=None):
    """The status and the answer's JSON. An OSError or HTTPException is a connection that was lost."""
    connection = http.client.HTTPConnection(address, timeout=40)
    try:
        headers = {"Content-Type": "application/json", **(headers or {})}
        connection.request(method, path, body and json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    finally:
        connection.close()


class Buyers:
    """Buy without a pause until they are told to stop, and note what they were told."""

    def __init__(self, book):
        self.book, self.told, self.orders = book, collections.Counter(), set()
        self.longest, self.last_sale, self.stopped, self.lock = 0.0, time.monotonic(), False, threading.Lock()
        self.threads = [threading.Thread(target=self.buy_on) for _ in range(BUYERS)]
        for thread in self.threads:
            thread.start()

    def buy_on(self):
        while not self.stopped:
            key, known = str(uuid.uuid4()), False
            while not known:
                known = self.send_once(key)

    def send_once(self, key):
        """Whether the buyer knows how it ended."""
        began, known = time.monotonic(), True
        try:
            status, answer = send("POST", "/api/orders", {"product_id": self.book}, {"Idempotency-Key": key})
        except (OSError, http.client.HTTPException) as error:
            status, answer, known = 0, {"detail": type(error).__name__}, False
        waited = time.monotonic() - began
        with self.lock:
            self.longest = max(self.longest, waited)
            if status == 200:
                self.told["200"] += 1
                self.orders.add(answer["id"])
                self.last_sale = time.monotonic()
            elif status == 0:
                self.told["no answer"] += 1
            elif status == 503 and answer.get("outcome") == "unknown":
                self.told["503 unknown"] += 1
                known = False
            elif status == 409:
                # The first request with this key is still worked on.
                self.told["409"] += 1
                known = False
            elif status == 503:
                self.told["503 again"] += 1
            else:
                self.told[f"{status} {answer.get('detail')}"] += 1
        if not known or status != 200:
            time.sleep(0.05)
        return known

    def stop(self):
        self.stopped = True
        for thread in self.threads:
            thread.join()


def kill(service):
    """As the kernel does it: what `docker kill` ends, Docker doesn't start again."""
    process = docker("inspect", "--format", "{{.State.Pid}}", container(service))
    os.kill(int(process), signal.SIGKILL)
    wait_until(f"{service} is started again", lambda: docker(
        "inspect", "--format", "{{.State.Pid}}", container(service)) not in ("0", process), 30)


def cut(service, network, seconds=3):
    name = f"{project}_{network}"
    docker("network", "disconnect", name, container(service))
    time.sleep(seconds)
    docker("network", "connect", "--alias", service, name, container(service))


FAULTS = [
    ("nothing", lambda: None),
    ("restart replica-1", lambda: docker("restart", "--time", "20", container("replica-1"))),
    ("restart replica-2", lambda: docker("restart", "--time", "20", container("replica-2"))),
    ("restart gateway", lambda: docker("restart", "--time", "10", container("gateway"))),
    ("restart postgres", lambda: docker("restart", "--time", "60", container("postgres"))),
    ("kill replica-1", lambda: kill("replica-1")),
    ("kill gateway", lambda: kill("gateway")),
    ("kill postgres", lambda: kill("postgres")),
    ("cut replica-1 from postgres, 3 s", lambda: cut("replica-1", "back")),
    ("cut replica-2 from the gateway, 3 s", lambda: cut("replica-2", "front")),
]
# Where the gateway itself dies, or is told to stop, a connection may end without an answer.
MAY_BE_CUT_OFF = {"restart gateway", "kill gateway"}


def do(fault, act, book):
    """One line of the table, and what was wrong."""
    earlier = set(sql("SELECT id FROM orders").split())
    buyers = Buyers(book)
    time.sleep(1)
    wrong = []
    try:
        act()
        for service in ("postgres", "replica-1", "replica-2", "gateway"):
            wait_until(f"{service} is healthy", lambda: healthy(service), 60)
        wait_until("the shop is ready", shop_is_ready, 60)
        began = time.monotonic()
        wait_until("somebody bought", lambda: buyers.last_sale > began, SELLS_AGAIN_WITHIN)
        time.sleep(1)
    except AssertionError as error:
        wrong.append(str(error))
    buyers.stop()
    rows = set(sql("SELECT id FROM orders").split()) - earlier
    stock = int(sql(f"SELECT quantity FROM products WHERE id = '{book}'"))
    allowed = {"200", "503 again", "503 unknown", "409"} | ({"no answer"} if fault in MAY_BE_CUT_OFF else set())
    wrong += [f"{count} were told: {answer}" for answer, count in buyers.told.items() if answer not in allowed]
    if rows != buyers.orders:
        wrong.append(f"{len(buyers.orders - rows)} orders that a buyer was told of are not there, "
                     f"{len(rows - buyers.orders)} are there that nobody was told of")
    if COPIES - len(earlier) - len(rows) != stock:
        wrong.append(f"{COPIES} copies - {len(earlier) + len(rows)} orders is not the stock, {stock}")
    if buyers.longest > LONGEST_WAIT:
        wrong.append(f"a buyer waited {buyers.longest:.1f} s")
    told = ", ".join(f"{count} × {answer}" for answer, count in sorted(buyers.told.items()))
    print(f"{'ok ' if not wrong else 'BAD'} {fault:36} {told}; longest wait {buyers.longest:.1f} s; "
          f"{len(rows)} rows, {len(buyers.orders)} told", flush=True)
    for line in wrong:
        print(f"      {line}", flush=True)
    return not wrong


send("POST", "/api/reset")
book = send("GET", "/api/products")[1]["id"]
sql(f"UPDATE products SET quantity = {COPIES} WHERE id = '{book}'")
chosen = [(fault, act) for fault, act in FAULTS if os.environ.get("FAULT", "") in fault]
results = [do(fault, act, book) for fault, act in chosen]
send("POST", "/api/reset")
print(f"drill: {sum(results)} of {len(results)} faults as promised")
sys.exit(not all(results))
