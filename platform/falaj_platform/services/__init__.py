"""The services that a tenant gets, as Pulumi components: each is its workload, its account and its Service."""
