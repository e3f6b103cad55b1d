"""Good Azure resources, by Pulumi type token: inputs as pulumi-azure-native 3 takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_HERE: Final = "uaenorth"
_GROUP: Final = "/subscriptions/0/resourceGroups/acme/providers"
_VAULT: Final = "https://acme.vault.azure.net"
_KEY: Final = f"{_VAULT}/keys/acme/1"
_DISK_KEY_SET: Final = f"{_GROUP}/Microsoft.Compute/diskEncryptionSets/acme"
_DISK_KEY: Final[Mapping[str, Any]] = {
    "type": "EncryptionAtRestWithCustomerKey",
    "diskEncryptionSetId": _DISK_KEY_SET,
}
_OUT: Final[Mapping[str, Any]] = {
    "direction": "Outbound",
    "access": "Allow",
    "protocol": "Tcp",
    "sourceAddressPrefix": "VirtualNetwork",
    "sourcePortRange": "*",
    "destinationAddressPrefix": "Sql.UAENorth",
    "destinationPortRange": "5432",
    "priority": 100,
}

_RESOURCES: Final[Mapping[str, Mapping[str, Any]]] = {
    "azure-native:storage:StorageAccount": {
        "accountName": "acme",
        "kind": "StorageV2",
        "sku": {"name": "Standard_ZRS"},
        "allowBlobPublicAccess": False,
        "allowSharedKeyAccess": False,
        "publicNetworkAccess": "Disabled",
        "networkRuleSet": {"defaultAction": "Deny"},
        "enableHttpsTrafficOnly": True,
        "minimumTlsVersion": "TLS1_2",
        "encryption": {
            "keySource": "Microsoft.Keyvault",
            "keyVaultProperties": {"keyName": "acme", "keyVaultUri": _VAULT},
        },
    },
    "azure-native:compute:Disk": {
        "creationData": {"createOption": "Empty"},
        "diskSizeGB": 50,
        "encryption": _DISK_KEY,
        "networkAccessPolicy": "DenyAll",
        "publicNetworkAccess": "Disabled",
    },
    "azure-native:compute:Snapshot": {
        "creationData": {"createOption": "Copy"},
        "encryption": _DISK_KEY,
        "networkAccessPolicy": "DenyAll",
        "publicNetworkAccess": "Disabled",
    },
    "azure-native:compute:DiskEncryptionSet": {
        "encryptionType": "EncryptionAtRestWithCustomerKey",
        "activeKey": {"keyUrl": _KEY},
        "rotationToLatestKeyVersionEnabled": True,
    },
    "azure-native:compute:VirtualMachine": {
        "hardwareProfile": {"vmSize": "Standard_D4s_v6"},
        "securityProfile": {"encryptionAtHost": True},
        "osProfile": {"linuxConfiguration": {"disablePasswordAuthentication": True}},
        "storageProfile": {
            "osDisk": {"createOption": "FromImage", "managedDisk": {"diskEncryptionSet": {"id": _DISK_KEY_SET}}},
            "dataDisks": [
                {"lun": 0, "createOption": "Empty", "managedDisk": {"diskEncryptionSet": {"id": _DISK_KEY_SET}}}
            ],
        },
    },
    "azure-native:dbforpostgresql:Server": {
        "serverName": "acme",
        "version": "17",
        "authConfig": {"activeDirectoryAuth": "Enabled", "passwordAuth": "Disabled"},
        "network": {"publicNetworkAccess": "Disabled"},
        "backup": {"backupRetentionDays": 14, "geoRedundantBackup": "Disabled"},
        "dataEncryption": {"type": "AzureKeyVault", "primaryKeyURI": _KEY},
    },
    "azure-native:containerregistry:Registry": {
        "registryName": "acme",
        "sku": {"name": "Premium"},
        "adminUserEnabled": False,
        "anonymousPullEnabled": False,
        "publicNetworkAccess": "Disabled",
        "encryption": {"status": "enabled", "keyVaultProperties": {"keyIdentifier": _KEY}},
    },
    "azure-native:containerregistry:Replication": {"registryName": "acme"},
    "azure-native:operationalinsights:Workspace": {"workspaceName": "acme", "retentionInDays": 365},
    "azure-native:operationalinsights:Cluster": {
        "clusterName": "acme",
        "keyVaultProperties": {"keyName": "acme", "keyVaultUri": _VAULT},
    },
    "azure-native:containerservice:ManagedCluster": {
        "resourceName": "acme",
        "kubernetesVersion": "1.34",
        "enableRBAC": True,
        "disableLocalAccounts": True,
        "publicNetworkAccess": "Disabled",
        "aadProfile": {"managed": True, "enableAzureRBAC": True},
        "apiServerAccessProfile": {"enablePrivateCluster": True, "enablePrivateClusterPublicFQDN": False},
        "networkProfile": {"networkPlugin": "azure", "networkPolicy": "cilium", "outboundType": "userDefinedRouting"},
        "oidcIssuerProfile": {"enabled": True},
        "securityProfile": {
            "azureKeyVaultKms": {"enabled": True, "keyId": _KEY},
            "workloadIdentity": {"enabled": True},
        },
        "addonProfiles": {"omsagent": {"enabled": True}, "azurepolicy": {"enabled": True}},
        "diskEncryptionSetID": _DISK_KEY_SET,
        "agentPoolProfiles": [
            {"name": "system", "mode": "System", "enableEncryptionAtHost": True, "enableNodePublicIP": False}
        ],
    },
    "azure-native:keyvault:Vault": {
        "vaultName": "acme",
        "properties": {
            "enableSoftDelete": True,
            "softDeleteRetentionInDays": 90,
            "enablePurgeProtection": True,
            "enableRbacAuthorization": True,
            "publicNetworkAccess": "Disabled",
            "networkAcls": {"defaultAction": "Deny", "bypass": "AzureServices"},
            "sku": {"family": "A", "name": "premium"},
        },
    },
    "azure-native:keyvault:Key": {
        "vaultName": "acme",
        "keyName": "acme",
        "properties": {
            "kty": "RSA-HSM",
            "keySize": 3072,
            "attributes": {"exportable": False},
            "rotationPolicy": {
                "lifetimeActions": [{"action": {"type": "rotate"}, "trigger": {"timeAfterCreate": "P180D"}}]
            },
        },
    },
    "azure-native:web:WebApp": {
        "name": "acme",
        "httpsOnly": True,
        "publicNetworkAccess": "Disabled",
        "siteConfig": {"minTlsVersion": "1.2", "ftpsState": "Disabled", "httpLoggingEnabled": True},
    },
    "azure-native:monitor:DiagnosticSetting": {
        "name": "audit",
        "resourceUri": f"{_GROUP}/Microsoft.KeyVault/vaults/acme",
        "workspaceId": f"{_GROUP}/Microsoft.OperationalInsights/workspaces/acme",
        "logs": [{"categoryGroup": "audit", "enabled": True}],
    },
    "azure-native:cosmosdb:DatabaseAccount": {
        "accountName": "acme",
        "keyVaultKeyUri": _KEY,
        "publicNetworkAccess": "Disabled",
        "disableLocalAuth": True,
        "locations": [{"locationName": "UAE North", "failoverPriority": 0}],
    },
    "azure-native:network:NetworkSecurityGroup": {"securityRules": [{"name": "database", **_OUT}]},
    "azure-native:network:SecurityRule": dict(_OUT),
    "azure-native:redis:Redis": {
        "name": "acme",
        "enableNonSslPort": False,
        "minimumTlsVersion": "1.2",
        "publicNetworkAccess": "Disabled",
    },
    "azure-native:eventhub:Namespace": {
        "namespaceName": "acme",
        "minimumTlsVersion": "1.2",
        "publicNetworkAccess": "Disabled",
        "disableLocalAuth": True,
    },
    "azure-native:servicebus:Namespace": {
        "namespaceName": "acme",
        "minimumTlsVersion": "1.2",
        "publicNetworkAccess": "Disabled",
        "disableLocalAuth": True,
    },
    "azure-native:sql:Server": {
        "serverName": "acme",
        "minimalTlsVersion": "1.2",
        "publicNetworkAccess": "Disabled",
        "administrators": {"azureADOnlyAuthentication": True},
    },
    "azure-native:storage:BlobContainer": {"accountName": "acme", "containerName": "features", "publicAccess": "None"},
    "azure-native:containerservice:AgentPool": {
        "resourceName": "acme",
        "mode": "User",
        "enableEncryptionAtHost": True,
        "enableNodePublicIP": False,
    },
    "azure-native:dbforpostgresql:FirewallRule": {
        "serverName": "acme",
        "startIpAddress": "10.0.0.4",
        "endIpAddress": "10.0.0.8",
    },
    "azure-native:machinelearningservices:Workspace": {
        "workspaceName": "acme",
        "publicNetworkAccess": "Disabled",
        "encryption": {"status": "Enabled", "keyVaultProperties": {"keyVaultArmId": "acme", "keyIdentifier": _KEY}},
    },
    "azure-native:databricks:Workspace": {
        "workspaceName": "acme",
        "publicNetworkAccess": "Disabled",
        "sku": {"name": "premium"},
    },
    "azure-native:machinelearningservices:OnlineEndpoint": {
        "workspaceName": "acme",
        "properties": {"authMode": "AADToken", "publicNetworkAccess": "Disabled"},
    },
    "azure-native:cognitiveservices:Account": {
        "accountName": "acme",
        "kind": "OpenAI",
        "properties": {
            "disableLocalAuth": True,
            "publicNetworkAccess": "Disabled",
            "encryption": {"keySource": "Microsoft.KeyVault", "keyVaultProperties": {"keyName": "acme"}},
        },
    },
    "azure-native:authorization:RoleAssignment": {
        "principalId": "0",
        "roleDefinitionId": f"{_GROUP}/Microsoft.Authorization/roleDefinitions/b24988ac-6180-42a0-ab88-20f7382dd24c",
        "scope": "/subscriptions/0/resourceGroups/acme",
    },
    "azure-native:authorization:RoleDefinition": {
        "roleName": "reader",
        "scope": "/subscriptions/0",
        "permissions": [{"actions": ["*/read", "Microsoft.Compute/virtualMachines/start/action"]}],
    },
    "azure-native:containerinstance:ContainerGroup": {
        "osType": "Linux",
        "containers": [{"name": "c", "image": "acme.azurecr.io/acme@sha256:" + "a" * 64}],
    },
    "azure-native:app:ContainerApp": {
        "template": {"containers": [{"name": "c", "image": "acme.azurecr.io/acme@sha256:" + "a" * 64}]},
    },
    "azure-native:storage:BlobServiceProperties": {
        "accountName": "acme",
        "isVersioningEnabled": True,
        "deleteRetentionPolicy": {"enabled": True, "days": 30},
    },
    "azure-native:dbforpostgresql:Configuration": {
        "serverName": "acme",
        "configurationName": "require_secure_transport",
        "value": "on",
    },
    "azure-native:recoveryservices:Vault": {
        "vaultName": "acme",
        "properties": {
            "publicNetworkAccess": "Disabled",
            "redundancySettings": {"standardTierStorageRedundancy": "ZoneRedundant", "crossRegionRestore": "Disabled"},
        },
    },
}
# What is part of another resource says no location of its own; the provider then has none either.
_OF_ANOTHER: Final = frozenset(
    {
        "SecurityRule",
        "Key",
        "DiagnosticSetting",
        "BlobServiceProperties",
        "Configuration",
        "BlobContainer",
        "AgentPool",
        "FirewallRule",
        "RoleAssignment",
        "RoleDefinition",
    }
)
GOOD: Final[Mapping[str, Mapping[str, Any]]] = {
    token: inputs if token.rpartition(":")[2] in _OF_ANOTHER else {"location": _HERE, **inputs}
    for token, inputs in _RESOURCES.items()
}
