"""What every process of weir needs: flags, logs, folders, logins, its start and its end."""
