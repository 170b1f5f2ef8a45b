"""What this machine is: facts read from the operating system."""
