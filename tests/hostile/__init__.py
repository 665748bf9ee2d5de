"""Attacks on a running weir, and what weir's good clients notice of the attacks.

``python -m tests.hostile`` (``make hostile``) runs every attack at its full size; the tests in
`test_hostile` run every attack at its small size.

An attack is one module in `tests.hostile.attacks`. The module defines ``ATTACK``, an
`tests.hostile.attack.Attack`; its name is the name of the module. The function of an attack runs
in a process of its own, against a `weir up` that serves five good readers and a probe of
``/global/health``. `tests.hostile.judge` decides what counts as harm.
"""
