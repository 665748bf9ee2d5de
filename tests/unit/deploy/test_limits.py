import pytest

from deploy.limits import MEMORY_LIMIT

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("512", 512 * MIB), ("512M", 512 * MIB), ("1.5G", 1536 * MIB), ("64MiB", 64 * MIB)],
)
def test_a_memory_limit_is_in_mib_or_says_its_unit(text, size):
    assert MEMORY_LIMIT.kind.parse(text) == size


@pytest.mark.parametrize("text", ["", "-1", "31M", "1025G", "5T", "nan", "1e3", "0x40", "64 MM"])
def test_other_memory_limits_are_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011
        MEMORY_LIMIT.kind.parse(text)
