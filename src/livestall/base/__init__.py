"""What every feature stands on. Knows no business word."""
