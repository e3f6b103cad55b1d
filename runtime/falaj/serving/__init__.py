"""The serving replica: loads what verifies, serves it, and says what it refused and why."""
