"""Where everything is plugged together and started."""
