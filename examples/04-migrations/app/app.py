import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from manage import ask

COLUMN = "text"


class Notes(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(ask(f"SELECT {COLUMN} FROM notes ORDER BY id"))

    def do_POST(self):
        self.answer(ask(f"INSERT INTO notes ({COLUMN}) VALUES ('{self.path.strip('/')}')"))

    def answer(self, lines):
        body = "".join(line + "\n" for line in lines).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Notes).serve_forever()
