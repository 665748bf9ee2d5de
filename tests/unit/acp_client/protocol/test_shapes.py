"""A type that two threads read for the first time at once: none of them sees half of it."""

import subprocess
import sys

from tests.processes import DEADLINE_S, ROOT

# The hint of a field is evaluated while msgspec learns the type: there the first thread waits for
# the second, which is through at once where nothing holds it back.
_PROGRAM = """
import threading
from msgspec import Struct
from acp_client.protocol.decode import read

begun, through = threading.Event(), threading.Event()

def meanwhile():
    begun.set()
    through.wait(0.5)
    return int

class Inner(Struct):
    number: "meanwhile()"

class Outer(Struct):
    inner: Inner

def second():
    begun.wait()
    assert read(b'{"inner":{"number":1}}', Outer).inner.number == 1
    through.set()

thread = threading.Thread(target=second)
thread.start()
assert read(b'{"inner":{"number":1}}', Outer).inner.number == 1
thread.join()
"""


def test_a_type_is_read_by_a_second_thread_when_the_first_has_learned_all_of_it():
    ended = subprocess.run([sys.executable, "-c", _PROGRAM], cwd=ROOT, timeout=DEADLINE_S)
    assert ended.returncode == 0
