"""Pushes a deliverable to a Tandem and waits for what becomes of it: the part that jobs of GitHub and GitLab share.

Told by its environment: TANDEM_SERVER, TANDEM_SERVICE, TANDEM_FILE, TANDEM_VERSION, TANDEM_TOKEN, and, if wanted,
TANDEM_HOTFIX (true), TANDEM_WAIT (minutes; 0: do not wait), TANDEM_CA (certificates by which the server is known).
Exit codes are those of `tandem`: 0 deployed, 1 failed, 3 gone back from, 5 refused or superseded, 124 still waiting.
"""

import base64
import hashlib
import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request

ENDS = {"settled": 0, "went_back": 3, "refused": 5, "superseded": 5}


def given(name, otherwise=None):
    value = os.environ.get(f"TANDEM_{name}") or otherwise
    if value is None:
        sys.exit(f"TANDEM_{name} is not set")
    return value


def ask(path, **more):
    url = f"{given('SERVER').rstrip('/')}/v1/services/{given('SERVICE')}/{path}"
    request = urllib.request.Request(url, **more)
    request.add_header("Authorization", f"Bearer {given('TOKEN')}")
    trusted = ssl.create_default_context(cafile=os.environ.get("TANDEM_CA") or None)
    with urllib.request.urlopen(request, timeout=600, context=trusted) as answer:
        return json.load(answer)


def push():
    with open(given("FILE"), "rb") as file:
        content = file.read()
    digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Digest": f"sha-256=:{digest}:",
        "Tandem-Version": given("VERSION"),
    }
    if given("HOTFIX", "false") in ("true", "1"):
        headers["Tandem-Hotfix"] = "1"
    return ask("push", data=content, headers=headers, method="POST")


def tell(standing):
    """One line for the log, and the outputs of a job of GitHub."""
    more = {key: value for key, value in standing.items() if key != "standing"}
    if "deployment" in more:
        more["deployment"] = f"d{more['deployment']}"
    said = " ".join(str(value) for value in more.values())
    print(f"{given('VERSION')}: {standing['standing'].replace('_', ' ')} {said}".rstrip(), flush=True)
    if ENDS.get(standing["standing"], 0) and os.environ.get("GITHUB_ACTIONS") == "true":
        line = f"{given('VERSION')} {standing['standing'].replace('_', ' ')}: {said}".replace("%", "%25").replace("\n", "%0A")
        print(f"::error title=Tandem::{line}", flush=True)


def output(pushed, standing):
    if path := os.environ.get("GITHUB_OUTPUT"):
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"digest={pushed['digest']}\nstanding={standing['standing']}\n")


def main():
    pushed = push()
    standing = pushed["standing"]
    tell(standing)
    deadline = time.monotonic() + 60 * float(given("WAIT", "30"))
    waits = float(given("WAIT", "30")) > 0
    while waits and standing["standing"] not in ENDS and time.monotonic() < deadline:
        time.sleep(2)
        entries = [entry for entry in ask("queue")["entries"] if entry["digest"] == pushed["digest"]]
        if entries and entries[0]["standing"] != standing:
            standing = entries[0]["standing"]
            tell(standing)
    output(pushed, standing)
    return ENDS.get(standing["standing"], 124 if waits else 0)


try:
    sys.exit(main())
except urllib.error.HTTPError as refused:
    problem = refused.read().decode(errors="replace")
    try:
        problem = json.loads(problem)["detail"]
    except (ValueError, KeyError):
        pass
    print(f"refused ({refused.code}): {problem}", file=sys.stderr)
    sys.exit(5 if refused.code in (403, 409, 422) else 1)
except OSError as why:
    print(f"{given('SERVER')} can't be asked: {why}", file=sys.stderr)
    sys.exit(6)
