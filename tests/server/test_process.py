"""What all processes of the server share: the flag that a signal sets."""

import signal
import subprocess
import sys

WAIT = """
import os, signal, sys, threading, time
from shortener.server.process import Stop

stop = Stop()
# The handler runs until after the end of the wait that it interrupts.
signal.signal(signal.SIGHUP, lambda _signum, _frame: time.sleep(0.3))
threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGHUP)).start()
print(stop.wait(0.2), flush=True)
print(stop.wait(600), stop(), stop.wait(600), flush=True)
"""


def test_a_wait_ends_at_its_timeout_or_at_sigterm() -> None:
    """Another signal during the wait does not prolong it, and SIGTERM ends this wait and all later ones at once."""
    process = subprocess.Popen([sys.executable, "-c", WAIT], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "False\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == "True True True\n"
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.stdout.close()
        process.wait()
