"""Read by every Python at its start when this folder is on its path: a session rests at once."""

from processor.upstream import memory

memory.LIVELY_S = 0.0
