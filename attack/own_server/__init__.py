"""A rendered project on its own server: deployments under load, behind the real Caddy."""
