"""What a picture costs in joules: power meters, one thread that reads one of them, and what the board does meanwhile."""
