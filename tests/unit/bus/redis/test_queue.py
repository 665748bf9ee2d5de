import subprocess
import sys

from bus.redis.address import RedisAddress, RedisLogin
from bus.redis.queue import ClientLink, ServerLink
from tests.processes import DEADLINE_S, environment

BURST = """
from bus.process.cooperative import patch_standard_library
patch_standard_library()
import sys
import gevent.pool
from bus.redis.address import RedisAddress, RedisLogin
from bus.redis.queue import QueueLink
link = QueueLink(RedisAddress.parse(sys.argv[1]), RedisLogin(), "own")
sent = gevent.pool.Pool(300).map(lambda number: link.push("burst", b"%d" % number), range(300))
print(sum(sent))
"""


def test_a_command_and_its_answer_come_to_the_other_end(server, client):
    address = RedisAddress.parse(server.url)
    asking = ClientLink(address, RedisLogin(), "b1.p1", "p1")
    answering = ServerLink(address, RedisLogin(), "p1")
    assert asking.send(b"command")
    peer, command = answering.receive()
    assert command == b"command"
    assert answering.send(peer, b"answer")
    assert asking.receive() == [b"answer"]
    assert client.keys("*") == []


def test_what_nobody_takes_does_not_stay(server, client):
    ClientLink(RedisAddress.parse(server.url), RedisLogin(), "b1.p1", "p1").send(b"command")
    [key] = client.keys("*")
    assert 0 < client.pttl(key) <= 60_000


def test_a_burst_of_messages_is_sent_by_a_few_connections(server, client):
    command = [sys.executable, "-c", BURST, server.url]
    ended = subprocess.run(
        command, env=environment(), capture_output=True, text=True, timeout=DEADLINE_S
    )
    assert ended.stdout == "300\n", ended.stderr
    assert client.llen("burst") == 300


def test_a_redis_that_is_away_takes_nothing():
    link = ClientLink(RedisAddress.parse("redis://127.0.0.1:1"), RedisLogin(), "b1.p1", "p1")
    assert not link.send(b"command")
