"""How we get in: TLS, logins, tokens and permissions, for Kafka's two clients and for Redis."""
