"""The platform image: what every container of a tenant runs, built without a container engine from a lock."""
