"""Where a gateway may listen that asks for no identity."""

import pytest

from bus.process.flags import BadFlag
from gateway.access.exposure import check_exposure

BEYOND = [("0.0.0.0", 1), ("192.0.2.1", 1), ("::", 1, 0, 0), ("fe80::1%eth0", 1, 0, 2)]
LOOPBACKS = [
    ("127.0.0.1", 1),
    ("127.9.9.9", 1),
    ("::1", 1, 0, 0),
    ("::ffff:127.0.0.1", 1),
    "/run/x",
]


@pytest.mark.parametrize("address", BEYOND)
def test_beyond_this_machine_it_asks_for_an_identity_or_is_open_by_word(address):
    with pytest.raises(BadFlag, match="--open") as refused:
        check_exposure(address, is_open=False, asks=False)
    assert str(refused.value).startswith(f"--host: {address[0]!r}")
    check_exposure(address, is_open=True, asks=False)
    check_exposure(address, is_open=False, asks=True)


@pytest.mark.parametrize("address", LOOPBACKS)
def test_on_this_machine_it_needs_nothing(address):
    check_exposure(address, is_open=False, asks=False)
