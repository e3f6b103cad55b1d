"""What a region and its tenants are provisioned from: Vault objects, generated secrets, policy, the gate."""
