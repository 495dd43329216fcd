"""What touches the outside: settings, wiring, broker, store, command line."""
