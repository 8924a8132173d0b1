"""One module per probe kind."""
