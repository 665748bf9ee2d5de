"""An inventory of whole processes: of all that they have allocated and that lives."""

import signal

TAKE = signal.SIGRTMIN + 7
FOLDER_VARIABLE = "INVENTORY_FOLDER"
