"""What a picture costs in joules: power meters, a thread that reads one of them, what the board does meanwhile."""
