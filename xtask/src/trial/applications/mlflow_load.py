"""An open-loop load on mlflow's API, with a model of all that was acknowledged.

Usage: mlflow_load.py PORT RATE. Goes on until its input ends; then asks for every run, and says in one line of JSON what
came of it. Knows nothing of Tandem.
"""

import http.client
import json
import random
import sys
import threading
import time
import uuid

PORT, RATE = int(sys.argv[1]), float(sys.argv[2])
KIND = {"Content-Type": "application/json"}
# At most so many requests at once; more is an overload of the machine, and counts as failed.
MOST = 200

lock = threading.Lock()
counts = {"requests": 0, "failed": 0, "wrong": 0, "longest_ms": 0}
examples = []
runs = {}


def note(kind, text):
    with lock:
        counts[kind] += 1
        if len(examples) < 20:
            examples.append(text)


def call(method, path, body=None):
    """The answer as data, or None if there was no good one."""
    begun = time.monotonic()
    try:
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
        connection.request(method, "/api/2.0/mlflow" + path, body and json.dumps(body), KIND)
        response = connection.getresponse()
        text = response.read()
        connection.close()
        why = None if response.status == 200 else f"{response.status} {text[:200]!r}"
    except OSError as error:
        why = repr(error)
    except http.client.HTTPException as error:
        why = repr(error)
    took = int((time.monotonic() - begun) * 1000)
    with lock:
        counts["requests"] += 1
        counts["longest_ms"] = max(counts["longest_ms"], took)
    if why:
        note("failed", f"{method} {path}: {why}")
        return None
    return json.loads(text)


def create(experiment):
    tags = [{"key": "kind", "value": "trial"}]
    made = call("POST", "/runs/create", {"experiment_id": experiment, "start_time": 1, "tags": tags})
    if made:
        with lock:
            runs[made["run"]["info"]["run_id"]] = {"params": {}, "tags": {"kind": "trial"}, "metrics": {}}


def measure(run):
    name, now = f"m{random.randrange(5)}", time.time_ns()
    body = {"run_id": run, "key": name, "value": random.random(), "timestamp": now // 10**6, "step": now // 1000}
    if call("POST", "/runs/log-metric", body) is not None:
        with lock:
            runs[run]["metrics"][name] = runs[run]["metrics"].get(name, 0) + 1


def write(run, path, kind):
    key, value = uuid.uuid4().hex, "é" + uuid.uuid4().hex
    if call("POST", path, {"run_id": run, "key": key, "value": value}) is not None:
        with lock:
            runs[run][kind][key] = value


def register():
    name = uuid.uuid4().hex
    if call("POST", "/registered-models/create", {"name": name, "tags": [{"key": "a", "value": "b"}]}):
        call("POST", "/model-versions/create", {"name": name, "source": "s3://a/b"})


def search(experiment):
    body = {"experiment_ids": [experiment], "max_results": 20, "filter": "tags.kind = 'trial'"}
    call("POST", "/runs/search", {**body, "order_by": ["metrics.m1 DESC"]})


def one(experiment):
    with lock:
        known = list(runs)
    chance = random.random()
    if chance < 0.2 or not known:
        create(experiment)
    elif chance < 0.4:
        measure(random.choice(known))
    elif chance < 0.6:
        write(random.choice(known), "/runs/log-parameter", "params")
    elif chance < 0.75:
        write(random.choice(known), "/runs/set-tag", "tags")
    elif chance < 0.8:
        register()
    elif chance < 0.9:
        search(experiment)
    else:
        call("GET", "/runs/get?run_id=" + random.choice(known))


def judge(run, wanted):
    """Whether a run holds all that was acknowledged."""
    answer = call("GET", "/runs/get?run_id=" + run)
    if answer is None:
        return
    data = answer["run"]["data"]
    found = {kind: {each["key"]: each["value"] for each in data.get(kind, [])} for kind in ("params", "tags")}
    if found["params"] != wanted["params"] or not wanted["tags"].items() <= found["tags"].items():
        note("wrong", f"run {run} is {found}, should be {wanted}")
    for name, count in wanted["metrics"].items():
        history = call("GET", f"/metrics/get-history?run_id={run}&metric_key={name}")
        if history is not None and len(history["metrics"]) != count:
            note("wrong", f"run {run} has {len(history['metrics'])} values of {name}, should have {count}")


def main():
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    made = call("POST", "/experiments/create", {"name": uuid.uuid4().hex})
    experiment = made["experiment_id"] if made else "0"
    begun, sent, at_work = time.monotonic(), 0, []
    while not ended.wait(max(0.0, begun + sent / RATE - time.monotonic())):
        sent += 1
        at_work = [thread for thread in at_work if thread.is_alive()]
        if len(at_work) >= MOST:
            note("failed", "not sent: too many are waited for")
            continue
        thread = threading.Thread(target=one, args=[experiment])
        thread.start()
        at_work.append(thread)
    for thread in at_work:
        thread.join()
    for run, wanted in runs.items():
        judge(run, wanted)
    print(json.dumps({**counts, "rows": len(runs), "examples": examples}))


main()
