"""The built-in `kubernetes` provider: creates by POST, updates by server-side apply, waits for workloads."""
