# SPDX-License-Identifier: Apache-2.0
"""What the tests of the kind http ask: nginx in its manners, a proxy, and a server that misbehaves."""
import http.server
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

from conftest import DEADLINE, free_port, wait_for

NGINX = """
daemon off; pid {dir}/pid; error_log {dir}/error.log; worker_processes 1;
events {{ worker_connections 512; }}
http {{
  access_log {dir}/access.log combined buffer=4k flush=100ms;
  client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3;
  uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
  root {dir}/www; default_type application/json; etag off;
  gzip on; gzip_min_length 1; gzip_types application/json;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_certificate {dir}/server.pem; ssl_certificate_key {dir}/server.key;
  server {{ listen 127.0.0.1:{plain}; listen unix:{dir}/socket; server_name _;
    location = /fail {{ return 503 'broken'; }}
    location = /private {{ return 401; }} location = /forbidden {{ return 403; }}
    location = /limited {{ add_header Retry-After 7 always; return 429; }}
    location = /hop1 {{ return 301 /hop2; }} location = /hop2 {{ return 302 /ok.json; }}
    location = /round {{ return 302 /round; }}
    location = /basic {{ auth_basic hale; auth_basic_user_file {dir}/users; try_files /ok.json =404; }}
    location = /token {{ if ($http_authorization != "Bearer t0ken") {{ return 401; }}
      try_files /ok.json =404; }}
    location = /echo {{ return 200 '{{"method":"$request_method","type":"$content_type","agent":"$http_user_agent","host":"$host","proto":"$server_protocol"}}'; }}
    location = /chunked {{ proxy_pass http://127.0.0.1:{odd}/chunked; }}
    location = /market {{ add_header X-RateLimit-Limit 100; add_header X-RateLimit-Remaining 5;
      return 200 '[{{"id": 1}}]'; }} }}
  server {{ listen 127.0.0.1:{h2c} http2; return 200 '{{"proto":"$server_protocol"}}'; }}
  server {{ listen 127.0.0.1:{tls} ssl http2; server_name acme.test;
    location = /proto {{ return 200 '{{"proto":"$server_protocol","host":"$host","tls":"$ssl_protocol"}}'; }} }}
  server {{ listen 127.0.0.1:{tls1} ssl; location = /proto {{ return 200 '{{"proto":"$server_protocol"}}'; }} }}
  server {{ listen 127.0.0.1:{old} ssl; ssl_protocols TLSv1.2; }}
  server {{ listen 127.0.0.1:{mutual} ssl; ssl_client_certificate {dir}/ca.pem; ssl_verify_client on;
    location = /who {{ return 200 '{{"who":"$ssl_client_s_dn"}}'; }} }}
  server {{ listen 127.0.0.1:{expired} ssl; ssl_certificate {dir}/expired.pem;
    ssl_certificate_key {dir}/server.key; }}
}}
"""

PORTS = ("plain", "h2c", "tls", "tls1", "old", "mutual", "expired")


def run(*command, cwd):
    subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def make_certificates(where):
    """A test CA, a server certificate for acme.test, one that has expired, and a client's."""
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/O=Hale Test/CN=Test CA", "-days", "30",
        cwd=where)
    for name, subject, days in (("server", "/O=Acme/CN=acme.test", "20"),
                                ("client", "/CN=checker", "20"), ("expired", "/CN=acme.test", "-1")):
        with open(f"{where}/{name}.ext", "w") as f:
            f.write("subjectAltName=DNS:acme.test,IP:127.0.0.1\n")
        key = ["-key", "server.key"] if name == "expired" else [
            "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-keyout", f"{name}.key"]
        run("openssl", "req", "-new", "-nodes", *key, "-out", f"{name}.csr", "-subj", subject,
            cwd=where)
        run("openssl", "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", days, "-extfile", f"{name}.ext", "-out", f"{name}.pem",
            cwd=where)


class Nginx:
    """A real nginx: plain, HTTP/2 with and without TLS, client certificates, a Unix socket."""

    def __init__(self, odd_port):
        self.dir = tempfile.mkdtemp(prefix="hale-hn", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.ports = {name: free_port() for name in PORTS}
        os.makedirs(f"{self.dir}/www")
        make_certificates(self.dir)
        for name in ("client.key", "client.pem", "ca.pem"):
            os.chmod(f"{self.dir}/{name}", 0o644)
        with open(f"{self.dir}/www/ok.json", "w") as f:
            f.write('{"status": "ok", "positions": ["AAPL", "MSFT"], "fill": "' + "x" * 4000 + '"}')
        with open(f"{self.dir}/users", "w") as f:
            f.write("mike:{PLAIN}pa55\n")
        with open(f"{self.dir}/nginx.conf", "w") as f:
            f.write(NGINX.format(dir=self.dir, odd=odd_port, **self.ports))
        self.process = subprocess.Popen(["/usr/sbin/nginx", "-c", f"{self.dir}/nginx.conf", "-p",
                                         self.dir, "-e", f"{self.dir}/error.log"])
        for port in self.ports.values():
            wait_for(lambda port=port: socket.create_connection(("127.0.0.1", port), 1).close() or
                     True, "nginx up")
        os.chmod(f"{self.dir}/socket", 0o666)

    def url(self, name, path=""):
        return f"http{'' if name in ('plain', 'h2c') else 's'}://127.0.0.1:{self.ports[name]}{path}"

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(DEADLINE)
        shutil.rmtree(self.dir)


class Proxy:
    """A real tinyproxy that wants a login."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="hale-tp", dir="/tmp")
        self.port = free_port()
        with open(f"{self.dir}/conf", "w") as f:
            f.write(f'Port {self.port}\nListen 127.0.0.1\nTimeout 30\nLogFile "{self.dir}/log"\n'
                    'LogLevel Connect\nBasicAuth hale secret\n')
        self.process = subprocess.Popen(["tinyproxy", "-d", "-c", f"{self.dir}/conf"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: socket.create_connection(("127.0.0.1", self.port), 1).close() or True,
                 "tinyproxy up")

    def log(self):
        with open(f"{self.dir}/log") as f:
            return f.read()

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(DEADLINE)
        shutil.rmtree(self.dir)


class Odd:
    """Answers each path as a function of the test says: function(handler)."""

    def __init__(self):
        self.answers = {}
        self.asked = []
        self.released = threading.Event()  # those who hang come back
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                owner.asked.append((self.path, dict(self.headers)))
                owner.answers[self.path.split("?")[0]](self)

            def answer(self, status=200, body=b"{}", headers=()):
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def hang(self):
                owner.released.wait(DEADLINE)
                self.close_connection = True

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *args: None  # who asks may hang up
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path=""):
        return f"http://127.0.0.1:{self.port}{path}"

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()
