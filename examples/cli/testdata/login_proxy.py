"""An HTTP proxy that answers every request with 407. Prints its port."""

import http.server


class LoginProxy(http.server.BaseHTTPRequestHandler):
    """Refuses."""

    def refuse(self):
        self.send_response(407)
        self.send_header("Proxy-Authenticate", "Basic")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_CONNECT = do_GET = do_HEAD = refuse

    def log_message(self, *_):
        pass


with http.server.HTTPServer(("127.0.0.1", 0), LoginProxy) as server:
    print(server.server_port, flush=True)
    server.serve_forever()
