"""The sensor registry: files of sensors, the topic that holds them, and what is learned by it."""
