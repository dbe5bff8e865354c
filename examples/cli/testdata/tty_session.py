"""Drives ck through a pseudo-terminal; exits non-zero at the first surprise."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

CK = os.environ["CK"]


class Terminal:
    """ck, started in a terminal of its own."""

    def __init__(self, *arguments, rows=24, columns=80):
        self.text = b""
        self.seen = 0
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execv(CK, [CK, *arguments])
        self.resize(rows, columns)

    def resize(self, rows, columns):
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, size)

    def type(self, text):
        os.write(self.fd, text)

    def expect(self, pattern, seconds=20):
        """Waits until the output after the last match has the pattern."""
        end = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.text[self.seen:])
            if found:
                self.seen += found.end()
                return found
            left = end - time.monotonic()
            ready = left > 0 and select.select([self.fd], [], [], left)[0]
            data = b""
            if ready:
                try:
                    data = os.read(self.fd, 4096)
                except OSError:  # EIO: the other end is closed
                    pass
            if not data:
                sys.exit(f"no {pattern!r} in {self.text[self.seen:]!r}")
            self.text += data

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        self.wait()

    def wait(self):
        """The exit code, as a shell shows it."""
        while True:
            try:
                if not os.read(self.fd, 4096):
                    break
            except OSError:
                break
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        if os.WIFSIGNALED(status):
            return 128 + os.WTERMSIG(status)
        return os.WEXITSTATUS(status)


def ck(*arguments):
    return subprocess.run([CK, *arguments], capture_output=True, text=True,
                          timeout=30, check=False)


def check(condition, message):
    if not condition:
        sys.exit(message)


def test_shell():
    shell = Terminal("run", "-it", "--rm", "bb", "sh", rows=30, columns=99)
    shell.type(b"echo size $(stty size)\r")
    shell.expect(rb"size 30 99\r\n")
    shell.resize(41, 123)
    shell.type(b"until [ \"$(stty size)\" = '41 123' ]; do :; done; "
               b"echo sized$((1+1))\r")
    shell.expect(rb"sized2\r\n")
    # ctrl-c goes to what runs in the container, not to ck.
    shell.type(b"sh -c 'echo up$((1+1)); exec sleep 1000'\r")
    shell.expect(rb"up2\r\n")
    shell.type(b"\x03")
    shell.type(b"echo alive$((1+1))\r")
    shell.expect(rb"alive2\r\n")
    shell.type(b"exit 5\r")
    check(shell.wait() == 5, "the shell's exit code")


def test_detach_and_attach():
    session = Terminal("run", "-it", "--name", "term", "bb", "sh")
    session.type(b"echo first$((1+1))\r")
    session.expect(rb"first2\r\n")
    session.type(b"\x10\x11")  # ctrl-p ctrl-q
    check(session.wait() == 0, "detached")
    state = ck("inspect", "-f", "{{.State.Status}}", "term").stdout.strip()
    check(state == "running", f"after detaching it is {state}")
    again = Terminal("attach", "--detach-keys", "ctrl-x", "term")
    again.type(b"echo second$((1+1))\r")
    again.expect(rb"second2\r\n")
    again.type(b"\x18")
    check(again.wait() == 0, "detached with other keys")
    last = Terminal("attach", "term")
    last.type(b"exit 6\r")
    check(last.wait() == 6, "attach returns the exit code")
    ck("rm", "term")


def test_detach_keys_of_the_config():
    with tempfile.TemporaryDirectory() as config:
        with open(f"{config}/config.json", "w", encoding="ascii") as file:
            file.write('{"detachKeys": "ctrl-e,q"}')
        run = ("--config", config, "run", "-it", "--name", "keys", "bb", "sh")
        session = Terminal(*run)
        session.type(b"echo here$((1+1))\r")
        session.expect(rb"here2\r\n")
        session.type(b"\x05q")
        check(session.wait() == 0, "detached with the config's keys")
        check(ck("inspect", "-f", "{{.State.Status}}", "keys").stdout
              == "running\n", "it runs on")
        # The flag is stronger.
        again = Terminal("--config", config, "attach", "--detach-keys",
                         "ctrl-x", "keys")
        again.type(b"\x05q\recho other$((1+1))\r")
        again.expect(rb"other2\r\n")
        again.type(b"\x18")
        check(again.wait() == 0, "detached with the flag's keys")
    ck("rm", "-f", "keys")


def test_attaching_draws_again():
    ck("run", "-dt", "--name", "drawn", "bb", "sh", "-c",
       "trap 'echo drawn' WINCH; while :; do sleep 0.02; done")
    for _ in range(2):  # the second time the size is right already
        session = Terminal("attach", "--sig-proxy=false", "drawn")
        session.expect(rb"drawn")
        session.kill()
    ck("rm", "-f", "drawn")


def test_a_background_reader_is_stopped():
    """ck reads the terminal out of turn: it stops, as any program does."""
    leader, follower = pty.openpty()
    os.write(leader, b"word\n")
    child = os.fork()
    if child == 0:
        os.setsid()
        fcntl.ioctl(follower, termios.TIOCSCTTY, 0)
        worker = os.fork()
        if worker == 0:
            os.setpgid(0, 0)
            os.dup2(follower, 0)
            os.execv(CK, [CK, "run", "-i", "--name", "reader", "bb", "cat"])
        end = time.monotonic() + 20
        pid, status = 0, 0
        while pid == 0 and time.monotonic() < end:
            time.sleep(0.02)
            pid, status = os.waitpid(worker, os.WUNTRACED | os.WNOHANG)
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)
        os._exit(0 if os.WIFSTOPPED(status) else 1)
    _, status = os.waitpid(child, 0)
    check(status == 0, "ck in the background")
    os.close(leader)
    os.close(follower)
    ck("rm", "-f", "reader")


def test_exec():
    ck("run", "-d", "--name", "host", "bb", "sleep", "1000")
    shell = Terminal("exec", "-it", "host", "sh", rows=33, columns=77)
    shell.type(b"echo size $(stty size); test -t 0 && echo tty$((1+1))\r")
    shell.expect(rb"size 33 77\r\ntty2\r\n")
    shell.type(b"exit 3\r")
    check(shell.wait() == 3, "exec's exit code")
    ck("rm", "-f", "host")


def test_terminal_is_restored():
    leader, follower = pty.openpty()
    before = termios.tcgetattr(follower)
    process = subprocess.Popen([CK, "run", "-it", "--rm", "bb", "true"],
                               stdin=follower, stdout=follower,
                               stderr=follower, start_new_session=True)
    while process.poll() is None:
        if select.select([leader], [], [], 0.05)[0]:
            os.read(leader, 4096)
    check(process.returncode == 0, "run -it true")
    check(termios.tcgetattr(follower) == before, "the terminal is restored")


def main():
    signal.alarm(60)
    test_shell()
    test_detach_and_attach()
    test_detach_keys_of_the_config()
    test_attaching_draws_again()
    test_a_background_reader_is_stopped()
    test_exec()
    test_terminal_is_restored()


main()
