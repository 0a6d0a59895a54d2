"""Adapters for OpenFeature: this application's flags as a provider, and any provider in their place."""
