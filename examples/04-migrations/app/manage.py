"""The part of a framework that this example is about: migrations as code, and a table of those that have run."""

import os
import subprocess
import sys

MIGRATIONS = [
    ("0001_notes", "CREATE TABLE notes (id serial PRIMARY KEY, text text NOT NULL)"),
]


def ask(sql):
    psql = ["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", sql, os.environ["DATABASE_URL"]]
    return subprocess.run(psql, check=True, stdout=subprocess.PIPE, text=True).stdout.split()


if sys.argv[1:] == ["migrate"]:
    if ask("SELECT to_regclass('migrations')") == []:
        ask("CREATE TABLE migrations (name text PRIMARY KEY)")
    done = ask("SELECT name FROM migrations")
    for name, sql in MIGRATIONS:
        if name not in done:
            ask(f"BEGIN; {sql}; INSERT INTO migrations VALUES ('{name}'); COMMIT")
