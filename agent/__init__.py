"""The running process: command line, inventory, scheduling, diagnosis, exposition."""
