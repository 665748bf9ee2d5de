"""Read by every Python at its start when this folder is on its path."""

from tests.fakes.small_stores import FILLED_SOON, install

install(FILLED_SOON)
