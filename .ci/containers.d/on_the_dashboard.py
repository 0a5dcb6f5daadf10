#!/usr/bin/env python3
"""on_the_dashboard.py SHOP DASHBOARD: makes a click after a reset, and finds each of its orders on the dashboard."""
import json
import sys
import time
import urllib.error
import urllib.request

shop, dashboard = sys.argv[1:]


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect)


def post(path):
    """Sends an empty form; a redirect is the answer that is hoped for."""
    try:
        opener.open(urllib.request.Request(shop + path, method="POST", data=b""))
    except urllib.error.HTTPError as answer:
        if answer.code != 303:
            raise


post("/reset")
post("/buy")
orders = {order["id"]: order["served_by"] for order in json.load(opener.open(shop + "/api/orders"))}
limit = time.monotonic() + 5
while True:
    seen = json.load(opener.open(dashboard + "/api/transactions"))
    found = {one["order_id"]: one["replica"] for one in seen if one["outcome"] == "committed" and one["order_id"]}
    if orders.items() <= found.items():
        break
    if time.monotonic() > limit:
        sys.exit(f"error: the orders are {orders}, and the dashboard has {found}")
    time.sleep(0.1)
page = opener.open(dashboard).read().decode()
assert orders and all(order[:8] in page for order in orders), "each order is on the page"
print(f"{len(orders)} orders, each on the dashboard with its replica")
