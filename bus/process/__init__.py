"""What every process of weir needs: flags, logs, folders, logins, start and end."""
