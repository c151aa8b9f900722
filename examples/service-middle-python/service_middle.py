"""service-middle in Python: answers who it is, and what service-back has said."""

import http.server
import os
import socket
import urllib.request

BACK = os.environ.get("SERVICE_BACK_URL", "http://service-back/")


class Middle(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with urllib.request.urlopen(BACK, timeout=60) as answer:
            said = answer.read().decode()
        text = f"service-middle on {socket.gethostname()}\n"
        text += "".join(f"  {line}\n" for line in said.splitlines())
        self.send_response(200)  # a breakpoint here shows said and text
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.end_headers()
        self.wfile.write(text.encode())


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("", 9090), Middle).serve_forever()
