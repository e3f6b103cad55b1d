"""What Azure's resource types are in an ARM template, and where their inputs go.

azure-native is generated from Azure's own interface, and lifts what is under `properties` to the inputs. Here is, for
each type, what ARM keeps beside `properties` (`top`; `location`, `tags` and `properties` always are), the input that
names the resource (`name`), lists of sub-resources, which have `properties` of their own (`nested`), inputs called
otherwise (`renames`), for children the input that names the parent, and the parent's kind (`parent`), and how
Checkov's checks spell the type besides (`spelled`).

Source: the schemas of azure-native 3 and Azure's template reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["NOT_APPLICABLE", "TYPES", "AzureType"]


@dataclass(frozen=True, slots=True)
class AzureType:
    """A type in an ARM template. `parent` is (the parent's kind, the input that names it), None for none."""

    type: str
    version: str
    name: str
    top: frozenset[str]
    nested: frozenset[str]
    renames: Mapping[str, str]
    parent: tuple[str, str] | None
    # Checkov compares types letter by letter, and some of its checks spell them otherwise.
    spelled: tuple[str, ...]


def _type(
    type_: str,
    version: str,
    name: str,
    /,
    *,
    top: str = "",
    nested: str = "",
    parent: tuple[str, str] | None = None,
    spelled: str = "",
    **renames: str,
) -> AzureType:
    always = frozenset({"location", "tags", "properties"})
    return AzureType(
        type_,
        version,
        name,
        always | frozenset(top.split()),
        frozenset(nested.split()),
        renames,
        parent,
        tuple(spelled.split()),
    )


_SERVER: Final = ("azure-native:sql:Server", "serverName")
_DATABASE: Final = ("azure-native:sql:Database", "databaseName")
_SUBNET: Final = "subnets securityRules routes virtualNetworkPeerings delegations serviceEndpointPolicies"
_VM: Final = "networkInterfaces networkInterfaceConfigurations ipConfigurations extensions publicIPAddressConfiguration"

TYPES: Final[Mapping[str, AzureType]] = {
    "azure-native:app:ContainerApp": _type(
        "Microsoft.App/containerApps", "2024-03-01", "containerAppName", top="identity kind extendedLocation managedBy"
    ),
    "azure-native:applicationinsights:Component": _type(
        "Microsoft.Insights/components", "2020-02-02", "resourceName", top="kind"
    ),
    "azure-native:authorization:RoleAssignment": _type(
        "Microsoft.Authorization/roleAssignments", "2022-04-01", "roleAssignmentName"
    ),
    "azure-native:authorization:RoleDefinition": _type(
        "Microsoft.Authorization/roleDefinitions", "2022-04-01", "roleDefinitionId"
    ),
    "azure-native:cognitiveservices:Account": _type(
        "Microsoft.CognitiveServices/accounts", "2024-10-01", "accountName", top="sku kind identity"
    ),
    "azure-native:compute:Disk": _type(
        "Microsoft.Compute/disks", "2024-03-02", "diskName", top="sku zones extendedLocation"
    ),
    "azure-native:compute:DiskEncryptionSet": _type(
        "Microsoft.Compute/diskEncryptionSets", "2024-03-02", "diskEncryptionSetName", top="identity"
    ),
    "azure-native:compute:Snapshot": _type("Microsoft.Compute/snapshots", "2024-03-02", "snapshotName", top="sku"),
    "azure-native:compute:VirtualMachine": _type(
        "Microsoft.Compute/virtualMachines",
        "2024-11-01",
        "vmName",
        top="identity zones plan extendedLocation",
        nested=_VM,
    ),
    "azure-native:compute:VirtualMachineExtension": _type(
        "Microsoft.Compute/virtualMachines/extensions", "2024-11-01", "vmExtensionName"
    ),
    "azure-native:compute:VirtualMachineScaleSet": _type(
        "Microsoft.Compute/virtualMachineScaleSets",
        "2024-11-01",
        "vmScaleSetName",
        top="identity zones plan sku extendedLocation",
        nested=_VM,
    ),
    "azure-native:containerinstance:ContainerGroup": _type(
        "Microsoft.ContainerInstance/containerGroups",
        "2023-05-01",
        "containerGroupName",
        top="identity zones",
        nested="containers initContainers",
    ),
    "azure-native:containerregistry:Registry": _type(
        "Microsoft.ContainerRegistry/registries", "2024-11-01-preview", "registryName", top="sku identity"
    ),
    "azure-native:containerregistry:Replication": _type(
        "Microsoft.ContainerRegistry/registries/replications", "2024-11-01-preview", "replicationName"
    ),
    "azure-native:containerservice:AgentPool": _type(
        "Microsoft.ContainerService/managedClusters/agentPools", "2024-10-01", "agentPoolName"
    ),
    "azure-native:containerservice:ManagedCluster": _type(
        "Microsoft.ContainerService/managedClusters",
        "2024-10-01",
        "resourceName",
        top="sku kind identity extendedLocation",
    ),
    "azure-native:cosmosdb:DatabaseAccount": _type(
        "Microsoft.DocumentDB/databaseAccounts",
        "2024-11-15",
        "accountName",
        top="kind identity",
        spelled="Microsoft.DocumentDb/databaseAccounts",
    ),
    "azure-native:cosmosdb:SqlResourceSqlDatabase": _type(
        "Microsoft.DocumentDB/databaseAccounts/sqlDatabases", "2024-11-15", "databaseName"
    ),
    "azure-native:databricks:Workspace": _type(
        "Microsoft.Databricks/workspaces", "2024-05-01", "workspaceName", top="sku"
    ),
    "azure-native:dataprotection:BackupVault": _type(
        "Microsoft.DataProtection/backupVaults", "2024-04-01", "vaultName", top="identity"
    ),
    "azure-native:dbformysql:Server": _type(
        "Microsoft.DBforMySQL/flexibleServers", "2024-12-30", "serverName", top="sku identity"
    ),
    "azure-native:dbformysql:SingleServer": _type(
        "Microsoft.DBforMySQL/servers", "2017-12-01", "serverName", top="sku identity"
    ),
    "azure-native:dbforpostgresql:Configuration": _type(
        "Microsoft.DBforPostgreSQL/flexibleServers/configurations", "2024-08-01", "configurationName"
    ),
    "azure-native:dbforpostgresql:Database": _type(
        "Microsoft.DBforPostgreSQL/flexibleServers/databases", "2024-08-01", "databaseName"
    ),
    "azure-native:dbforpostgresql:FirewallRule": _type(
        "Microsoft.DBforPostgreSQL/flexibleServers/firewallRules", "2024-08-01", "firewallRuleName"
    ),
    "azure-native:dbforpostgresql:Server": _type(
        "Microsoft.DBforPostgreSQL/flexibleServers", "2024-08-01", "serverName", top="sku identity"
    ),
    "azure-native:dbforpostgresql:SingleServer": _type(
        "Microsoft.DBforPostgreSQL/servers", "2017-12-01", "serverName", top="sku identity"
    ),
    "azure-native:eventhub:EventHub": _type("Microsoft.EventHub/namespaces/eventhubs", "2024-01-01", "eventHubName"),
    "azure-native:eventhub:Namespace": _type(
        "Microsoft.EventHub/namespaces", "2024-01-01", "namespaceName", top="sku identity"
    ),
    "azure-native:insights:DiagnosticSetting": _type(
        "Microsoft.Insights/diagnosticSettings", "2021-05-01-preview", "name"
    ),
    "azure-native:keyvault:Key": _type("Microsoft.KeyVault/vaults/keys", "2023-07-01", "keyName"),
    "azure-native:keyvault:Secret": _type("Microsoft.KeyVault/vaults/secrets", "2023-07-01", "secretName"),
    "azure-native:keyvault:Vault": _type("Microsoft.KeyVault/vaults", "2023-07-01", "vaultName"),
    "azure-native:machinelearningservices:OnlineEndpoint": _type(
        "Microsoft.MachineLearningServices/workspaces/onlineEndpoints",
        "2024-10-01",
        "endpointName",
        top="sku kind identity",
    ),
    "azure-native:machinelearningservices:Workspace": _type(
        "Microsoft.MachineLearningServices/workspaces", "2024-10-01", "workspaceName", top="sku kind identity"
    ),
    "azure-native:managedidentity:FederatedIdentityCredential": _type(
        "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
        "2023-01-31",
        "federatedIdentityCredentialResourceName",
    ),
    "azure-native:managedidentity:UserAssignedIdentity": _type(
        "Microsoft.ManagedIdentity/userAssignedIdentities", "2023-01-31", "resourceName"
    ),
    "azure-native:monitor:DiagnosticSetting": _type(
        "Microsoft.Insights/diagnosticSettings", "2021-05-01-preview", "name"
    ),
    "azure-native:network:ApplicationGateway": _type(
        "Microsoft.Network/applicationGateways",
        "2024-05-01",
        "applicationGatewayName",
        top="identity zones",
        nested="gatewayIPConfigurations frontendIPConfigurations frontendPorts backendAddressPools httpListeners "
        "backendHttpSettingsCollection requestRoutingRules sslCertificates sslProfiles probes redirectConfigurations "
        "urlPathMaps listeners",
    ),
    "azure-native:network:AzureFirewall": _type(
        "Microsoft.Network/azureFirewalls", "2024-05-01", "azureFirewallName", top="zones", nested="ipConfigurations"
    ),
    "azure-native:network:FlowLog": _type("Microsoft.Network/networkWatchers/flowLogs", "2024-05-01", "flowLogName"),
    "azure-native:network:NatGateway": _type(
        "Microsoft.Network/natGateways", "2024-05-01", "natGatewayName", top="sku zones"
    ),
    "azure-native:network:NetworkInterface": _type(
        "Microsoft.Network/networkInterfaces",
        "2024-05-01",
        "networkInterfaceName",
        top="extendedLocation",
        nested="ipConfigurations",
    ),
    "azure-native:network:NetworkSecurityGroup": _type(
        "Microsoft.Network/networkSecurityGroups", "2024-05-01", "networkSecurityGroupName", nested=_SUBNET
    ),
    "azure-native:network:PrivateDnsZoneGroup": _type(
        "Microsoft.Network/privateEndpoints/privateDnsZoneGroups",
        "2024-05-01",
        "privateDnsZoneGroupName",
        nested="privateDnsZoneConfigs",
    ),
    "azure-native:network:PrivateEndpoint": _type(
        "Microsoft.Network/privateEndpoints",
        "2024-05-01",
        "privateEndpointName",
        top="extendedLocation",
        nested="privateLinkServiceConnections manualPrivateLinkServiceConnections ipConfigurations",
    ),
    "azure-native:network:PublicIPAddress": _type(
        "Microsoft.Network/publicIPAddresses", "2024-05-01", "publicIpAddressName", top="sku zones extendedLocation"
    ),
    "azure-native:network:RouteTable": _type(
        "Microsoft.Network/routeTables", "2024-05-01", "routeTableName", nested=_SUBNET
    ),
    "azure-native:network:SecurityRule": _type(
        "Microsoft.Network/networkSecurityGroups/securityRules", "2024-05-01", "securityRuleName"
    ),
    "azure-native:network:Subnet": _type(
        "Microsoft.Network/virtualNetworks/subnets", "2024-05-01", "subnetName", nested=_SUBNET
    ),
    "azure-native:network:VirtualNetwork": _type(
        "Microsoft.Network/virtualNetworks",
        "2024-05-01",
        "virtualNetworkName",
        top="extendedLocation",
        nested=_SUBNET,
    ),
    "azure-native:operationalinsights:Cluster": _type(
        "Microsoft.OperationalInsights/clusters", "2023-09-01", "clusterName", top="sku identity"
    ),
    "azure-native:operationalinsights:Workspace": _type(
        "Microsoft.OperationalInsights/workspaces", "2023-09-01", "workspaceName", top="identity"
    ),
    "azure-native:privatedns:PrivateZone": _type("Microsoft.Network/privateDnsZones", "2024-06-01", "privateZoneName"),
    "azure-native:privatedns:VirtualNetworkLink": _type(
        "Microsoft.Network/privateDnsZones/virtualNetworkLinks", "2024-06-01", "virtualNetworkLinkName"
    ),
    "azure-native:recoveryservices:Vault": _type(
        "Microsoft.RecoveryServices/vaults", "2024-10-01", "vaultName", top="sku identity"
    ),
    "azure-native:redis:Redis": _type("Microsoft.Cache/redis", "2024-11-01", "name", top="identity zones"),
    "azure-native:resources:ResourceGroup": _type(
        "Microsoft.Resources/resourceGroups", "2024-03-01", "resourceGroupName", top="managedBy"
    ),
    "azure-native:search:Service": _type(
        "Microsoft.Search/searchServices", "2023-11-01", "searchServiceName", top="sku identity"
    ),
    "azure-native:security:Pricing": _type("Microsoft.Security/pricings", "2024-01-01", "pricingName"),
    "azure-native:servicebus:Namespace": _type(
        "Microsoft.ServiceBus/namespaces", "2024-01-01", "namespaceName", top="sku identity"
    ),
    "azure-native:sql:Database": _type(
        "Microsoft.Sql/servers/databases", "2021-11-01", "databaseName", top="sku identity"
    ),
    "azure-native:sql:DatabaseBlobAuditingPolicy": _type(
        "Microsoft.Sql/servers/databases/auditingSettings", "2021-11-01", "blobAuditingPolicyName", parent=_DATABASE
    ),
    "azure-native:sql:DatabaseSecurityAlertPolicy": _type(
        "Microsoft.Sql/servers/databases/securityAlertPolicies",
        "2021-11-01",
        "securityAlertPolicyName",
        parent=_DATABASE,
    ),
    "azure-native:sql:FirewallRule": _type(
        "Microsoft.Sql/servers/firewallRules", "2021-11-01", "firewallRuleName", parent=_SERVER
    ),
    "azure-native:sql:Server": _type("Microsoft.Sql/servers", "2021-11-01", "serverName", top="identity"),
    "azure-native:sql:ServerBlobAuditingPolicy": _type(
        "Microsoft.Sql/servers/auditingSettings", "2021-11-01", "blobAuditingPolicyName", parent=_SERVER
    ),
    "azure-native:sql:ServerSecurityAlertPolicy": _type(
        "Microsoft.Sql/servers/securityAlertPolicies", "2021-11-01", "securityAlertPolicyName", parent=_SERVER
    ),
    "azure-native:sql:TransparentDataEncryption": _type(
        "Microsoft.Sql/servers/databases/transparentDataEncryption", "2021-11-01", "tdeName", parent=_DATABASE
    ),
    "azure-native:sql:VirtualNetworkRule": _type(
        "Microsoft.Sql/servers/virtualNetworkRules", "2021-11-01", "virtualNetworkRuleName", parent=_SERVER
    ),
    "azure-native:storage:BlobContainer": _type(
        "Microsoft.Storage/storageAccounts/blobServices/containers", "2024-01-01", "containerName"
    ),
    "azure-native:storage:BlobServiceProperties": _type(
        "Microsoft.Storage/storageAccounts/blobServices", "2024-01-01", "blobServicesName"
    ),
    "azure-native:storage:FileShare": _type(
        "Microsoft.Storage/storageAccounts/fileServices/shares", "2024-01-01", "shareName"
    ),
    "azure-native:storage:ManagementPolicy": _type(
        "Microsoft.Storage/storageAccounts/managementPolicies", "2024-01-01", "managementPolicyName"
    ),
    "azure-native:storage:Queue": _type(
        "Microsoft.Storage/storageAccounts/queueServices/queues", "2024-01-01", "queueName"
    ),
    "azure-native:storage:StorageAccount": _type(
        "Microsoft.Storage/storageAccounts",
        "2024-01-01",
        "accountName",
        top="sku kind identity extendedLocation",
        enableHttpsTrafficOnly="supportsHttpsTrafficOnly",
        networkRuleSet="networkAcls",
        enableNfsV3="isNfsV3Enabled",
    ),
    "azure-native:storage:Table": _type(
        "Microsoft.Storage/storageAccounts/tableServices/tables", "2024-01-01", "tableName"
    ),
    "azure-native:web:AppServicePlan": _type(
        "Microsoft.Web/serverfarms", "2024-04-01", "name", top="sku kind identity"
    ),
    "azure-native:web:WebApp": _type("Microsoft.Web/sites", "2024-04-01", "name", top="kind identity"),
    "azure-native:web:WebAppSlot": _type("Microsoft.Web/sites/slots", "2024-04-01", "slot", top="kind identity"),
}

# Nothing to check: the provider's own configuration, read as a resource.
NOT_APPLICABLE: Final = frozenset({"azure-native:index:Provider"})
