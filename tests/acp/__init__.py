"""Any ACP agent, driven by the official clients and counted by a proxy."""
