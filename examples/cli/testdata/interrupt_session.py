"""Interrupts ck at its own work; exits non-zero at the first surprise.

A registry of this program's own gives half of a layer and no more, so that ck
is in the middle of a pull when the signal comes.
"""
import http.server
import os
import pathlib
import signal
import subprocess
import sys
import threading

CK = os.environ["CK"]
WORK = pathlib.Path(os.environ["WORK"])
LAYOUT = WORK / "layout"
STALLED = threading.Semaphore(0)  # one for each layer that is half given
PATIENCE = 30


def blob(digest):
    return (LAYOUT / "blobs" / digest.replace(":", "/")).read_bytes()


def first_digest(document):
    start = document.index(b"sha256:")
    return document[start:start + 71].decode()


MANIFEST_DIGEST = first_digest((LAYOUT / "index.json").read_bytes())
MANIFEST = blob(MANIFEST_DIGEST)
LAYER_DIGEST = first_digest(MANIFEST[MANIFEST.index(b'"layers"'):])


class Registry(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        what = self.path.partition("?")[0].rsplit("/", 2)[1:]
        if self.path == "/v2/":
            self.give("application/json", b"{}")
        elif what == ["tags", "list"]:
            self.give("application/json",
                      b'{"name": "test/slow", "tags": ["1"]}')
        elif what[0] == "manifests":
            self.give("application/vnd.oci.image.manifest.v1+json", MANIFEST)
        elif what[1] == LAYER_DIGEST:
            self.give_half(blob(LAYER_DIGEST))
        else:
            self.give("application/octet-stream", blob(what[1]))

    do_HEAD = do_GET

    def head(self, kind, data):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()

    def give(self, kind, data):
        self.head(kind, data)
        if self.command != "HEAD":
            self.wfile.write(data)

    def give_half(self, data):
        self.head("application/octet-stream", data)
        self.wfile.write(data[:len(data) // 2])
        self.wfile.flush()
        STALLED.release()
        self.connection.recv(1)  # until ck hangs up
        self.close_connection = True

    def log_message(self, *arguments):
        pass


def check(condition, message):
    if not condition:
        sys.exit(message)


def ck(*arguments):
    return subprocess.run([CK, *arguments], capture_output=True, text=True,
                          timeout=PATIENCE, check=False).stdout.strip()


def check_nothing_is_left(what):
    check(ck("ps", "-aq") == "", f"{what}: a container is left")
    check(ck("images", "-q") == "", f"{what}: an image is left")
    # Half of a layer is kept: the next pull goes on from there.
    half = f"partial-blob {LAYER_DIGEST.replace(':', '-')}: its owner is dead"
    found = ck("system", "check")
    check(found in ("", half), f"{what}: the store has {found}")


def start(*arguments, ignored=(), **streams):
    def dispositions():
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_DFL)
        for each in ignored:
            signal.signal(each, signal.SIG_IGN)
    return subprocess.Popen([CK, *arguments], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True,
                            preexec_fn=dispositions, **streams)


def end(process):
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def interrupted(*arguments, by=(signal.SIGINT,), **options):
    """What ck makes of the signals in the middle of its pull."""
    process = start(*arguments, **options)
    check(STALLED.acquire(timeout=PATIENCE), f"{arguments}: no pull")
    for each in by:
        process.send_signal(each)
    return end(process)


def test_pulls(image):
    cidfile = WORK / "cid"
    for arguments, code in (
            (("pull", image), 130),
            (("pull", "-a", image.removesuffix(":1")), 130),
            (("run", "--rm", "--cidfile", str(cidfile), image), 130),
            (("run", "-d", image), 130),
            (("create", image), 130)):
        result, out, err = interrupted(*arguments)
        check(result == code, f"{arguments}: {result}: {out} {err}")
        check("ck:" not in err, f"{arguments}: complains of {err}")
        check(not cidfile.exists(), f"{arguments}: the cidfile is left")
        check_nothing_is_left(arguments)
    result, _, err = interrupted("pull", image, by=(signal.SIGTERM,))
    check(result == 143, f"SIGTERM: {result}: {err}")


def test_ignored_signals_stay_ignored(image):
    result, _, err = interrupted("pull", image, ignored=(signal.SIGINT,),
                                 by=(signal.SIGINT, signal.SIGTERM))
    check(result == 143, f"an ignored SIGINT: {result}: {err}")


def test_a_second_signal_ends_it_at_once(image):
    # Both come at the same moment: when ck goes on.
    result, _, err = interrupted(
        "pull", image, by=(signal.SIGSTOP, signal.SIGINT, signal.SIGTERM,
                           signal.SIGCONT))
    check(result in (-signal.SIGINT, -signal.SIGTERM),
          f"two signals: {result}: {err}")
    check_nothing_is_left("two signals")


def test_archives():
    archive = (WORK / "rootfs.tar").read_bytes()
    for arguments in (("load",), ("import", "-", "half")):
        read_end, write_end = os.pipe()
        process = start(*arguments, stdin=read_end)
        os.close(read_end)
        # More than the pipe takes: when it is written ck is reading.
        with open(write_end, "wb", buffering=0) as pipe:
            pipe.write(archive[:len(archive) // 2])
            process.send_signal(signal.SIGINT)
            result, out, err = end(process)
        check(result == 130, f"{arguments}: {result}: {out} {err}")
        check_nothing_is_left(arguments)


def main():
    signal.alarm(55)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    image = f"127.0.0.1:{server.server_address[1]}/test/slow:1"
    test_pulls(image)
    test_ignored_signals_stay_ignored(image)
    test_a_second_signal_ends_it_at_once(image)
    test_archives()


main()
