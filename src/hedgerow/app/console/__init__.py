"""The live page: what the group's topics say, shown to a browser; off unless ``http.console``."""
