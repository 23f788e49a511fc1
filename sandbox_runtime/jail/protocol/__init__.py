"""Messages between the supervisor and the processes inside."""
