"""What is done to netlists of ECP5 before they are placed."""
