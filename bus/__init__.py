"""What travels between the processes of weir, and how."""
