"""The bus over Redis Streams, for processors and gateways on several machines.

Rules
=====

1. Only plain commands of Redis 6.2 are used: no scripts, no modules, no consumer groups.
2. A processor never waits for Redis. Its journal is the queue: the writer is a cursor in the
   journal, and after a lost connection it asks Redis where it stands.
3. The id of a stream entry is ``EPOCH_MS-LAST_SEQ``. So a repeated write is refused, a processor
   that was replaced is refused, and missing events can be seen.

Keys
====

===========================  ======  ============================================================
key                          type    content
===========================  ======  ============================================================
``weir1:{SOURCE}:log``       stream  field ``b``: a frame of `bus.transport.codec`
``weir1:{SOURCE}:lease``     string  the epoch that may write; expires after `LEASE_S`
``weir1:{SOURCE}:snapshot``  string  the processor's ledger, compressed
``weir1:{SOURCE}:commands``  list    commands for the processor
``weir1:answers:{BRIDGE}``   list    the answers for one bridge
``weir1:sources``            zset    names of sources, by the time (s) of their last sign of life
===========================  ======  ============================================================

The first entry of an epoch has the id ``EPOCH_MS-0``, and the field ``e`` in place of ``b``.

A *source* is a processor, and a *bridge* (`gateway.bridge`) reads all sources for the workers of
one machine.
"""
