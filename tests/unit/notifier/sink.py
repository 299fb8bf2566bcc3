#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A receiver of notices. Prints its port, then one line of JSON per request before it answers.

/ok            200                     /fail/<n>/<code>  <code> for the first n requests, then 200
/later/<n>     429 with Retry-After: 1 for the first n requests, then 200
/hang          never answers           /bot<token>/sendMessage  as the Telegram Bot API
"""
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

seen = {}


class Sink(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, code, body, headers=()):
        data = body.encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def telegram(self, n):
        if "/botflood/" in self.path and n == 1:
            self.answer(429, json.dumps({"ok": False, "error_code": 429,
                                         "description": "Too Many Requests: retry after 1",
                                         "parameters": {"retry_after": 1}}))
        elif "/botwrong/" in self.path:
            self.answer(400, json.dumps({"ok": False, "error_code": 400,
                                         "description": "Bad Request: chat not found"}))
        else:
            self.answer(200, json.dumps({"ok": True, "result": {"message_id": n}}))

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        n = seen[self.path] = seen.get(self.path, 0) + 1
        print(json.dumps({"method": self.command, "path": self.path, "body": body.decode(),
                          "headers": {k.lower(): v for k, v in self.headers.items()}}), flush=True)
        parts = self.path.strip("/").split("/")
        if parts[0].startswith("bot"):
            self.telegram(n)
        elif parts[0] == "fail" and n <= int(parts[1]):
            self.answer(int(parts[2]), "no")
        elif parts[0] == "later" and n <= int(parts[1]):
            self.answer(429, "slow down", [("Retry-After", "1")])
        elif parts[0] == "hang":
            threading.Event().wait()
        else:
            self.answer(200, "thanks")

    do_POST = do_PUT = do_PATCH = handle_any

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
server.daemon_threads = True
print(server.server_address[1], flush=True)
# Ends with whoever started it: its standard input closes then.
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
