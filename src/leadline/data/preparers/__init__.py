"""What makes raw examples ready for a network, one kind a file."""
