"""Which Azure resources have a place of their own, as pulumi-azure-native 3.29.0 declares them.

A resource of one of these modules that is not named here takes no `location`: it is part of another (a key of a vault,
a container of an account) or of none at all (a role assignment), and where that is, is judged there.
"""

from __future__ import annotations

from typing import Final

__all__ = ["part_of_another"]

_LOCATED: Final[dict[str, frozenset[str]]] = {
    module: frozenset(names.split())
    for module, names in {
        "apimanagement": "ApiGateway ApiManagementService",
        "app": (
            "Agent AgentSpace Builder Certificate ConnectedEnvironment ConnectedEnvironmentsCertificate "
            "ContainerApp ContainerAppsSessionPool Job ManagedCertificate ManagedEnvironment"
        ),
        "authorization": "PolicyAssignment ResourceManagementPrivateLink",
        "cognitiveservices": "Account CommitmentPlan PrivateEndpointConnection Project SharedCommitmentPlan",
        "compute": (
            "AvailabilitySet CapacityReservation CapacityReservationGroup DedicatedHost DedicatedHostGroup Disk "
            "DiskAccess DiskEncryptionSet Gallery GalleryApplication GalleryApplicationVersion GalleryImage "
            "GalleryImageVersion GalleryInVMAccessControlProfile GalleryInVMAccessControlProfileVersion "
            "GalleryScript GalleryScriptVersion Image ProximityPlacementGroup RestorePointCollection Snapshot "
            "SshPublicKey VirtualMachine VirtualMachineExtension VirtualMachineRunCommandByVirtualMachine "
            "VirtualMachineScaleSet VirtualMachineScaleSetVM VirtualMachineScaleSetVMExtension "
            "VirtualMachineScaleSetVMRunCommand"
        ),
        "containerregistry": "AgentPool ExportPipeline ImportPipeline Registry Replication Task TaskRun Webhook",
        "containerservice": (
            "Fleet FleetManagedNamespace ManagedCluster ManagedClusterSnapshot ManagedNamespace Namespace Snapshot"
        ),
        "cosmosdb": (
            "CassandraCluster CassandraResourceCassandraKeyspace CassandraResourceCassandraTable "
            "CassandraResourceCassandraView DatabaseAccount Fleet GarnetCluster GraphResourceGraph "
            "GremlinResourceGremlinDatabase GremlinResourceGremlinGraph MongoCluster "
            "MongoDBResourceMongoDBCollection MongoDBResourceMongoDBDatabase SqlResourceSqlContainer "
            "SqlResourceSqlDatabase SqlResourceSqlStoredProcedure SqlResourceSqlTrigger "
            "SqlResourceSqlUserDefinedFunction TableResourceTable ThroughputPool"
        ),
        "databricks": "AccessConnector Workspace",
        "datafactory": "Factory",
        "dataprotection": "BackupVault ResourceGuard",
        "dbforpostgresql": "Migration Server ServerGroupCluster SingleServer",
        "dns": "Zone",
        "eventhub": "Cluster Namespace",
        "keyvault": "MHSMPrivateEndpointConnection ManagedHsm Vault",
        "machinelearningservices": (
            "BatchDeployment BatchEndpoint CapacityReservationGroup Compute InferenceEndpoint InferenceGroup "
            "InferencePool LinkedService OnlineDeployment OnlineEndpoint PrivateEndpointConnection Registry "
            "ServerlessEndpoint Workspace"
        ),
        "managedidentity": "UserAssignedIdentity",
        "monitor": (
            "ActionGroup ActivityLogAlert AutoscaleSetting AzureMonitorWorkspace DataCollectionEndpoint "
            "DataCollectionRule HealthModel MetricAlert PipelineGroup PrivateLinkScope ScheduledQueryRule "
            "TenantActionGroup"
        ),
        "network": (
            "ApplicationGateway ApplicationSecurityGroup AzureFirewall BastionHost ConnectionMonitor "
            "CustomIPPrefix DdosCustomPolicy DdosProtectionPlan DscpConfiguration ExpressRouteCircuit "
            "ExpressRouteGateway ExpressRoutePort FirewallPolicy FirewallPolicyDraft FlowLog InterconnectGroup "
            "InterfaceEndpoint IpAllocation IpGroup IpamPool LoadBalancer LoadBalancerBackendAddressPool "
            "LocalNetworkGateway NatGateway NetworkInterface NetworkManager NetworkProfile NetworkSecurityGroup "
            "NetworkSecurityPerimeter NetworkSecurityPerimeterAccessRule NetworkSecurityPerimeterAssociation "
            "NetworkSecurityPerimeterProfile NetworkVirtualAppliance NetworkWatcher NspAccessRule NspAssociation "
            "NspProfile P2sVpnGateway PrivateEndpoint PrivateLinkService PublicIPAddress PublicIPPrefix "
            "RouteFilter RouteFilterRule RouteTable SecurityPartnerProvider ServiceEndpointPolicy ServiceGateway "
            "VerifierWorkspace VirtualHub VirtualNetwork VirtualNetworkAppliance VirtualNetworkGateway "
            "VirtualNetworkGatewayConnection VirtualNetworkTap VirtualRouter VirtualWan VpnGateway "
            "VpnServerConfiguration VpnSite WebApplicationFirewallPolicy"
        ),
        "operationalinsights": "Cluster QueryPack Workspace",
        "privatedns": "PrivateZone VirtualNetworkLink",
        "recoveryservices": (
            "PrivateEndpointConnection ProtectedItem ProtectionContainer ProtectionIntent ProtectionPolicy "
            "ResourceGuardProxy Vault"
        ),
        "redis": "Redis",
        "resources": (
            "AzureCliScript AzurePowerShellScript Deployment DeploymentAtManagementGroupScope DeploymentAtScope "
            "DeploymentAtSubscriptionScope DeploymentAtTenantScope DeploymentStackAtManagementGroup "
            "DeploymentStackAtResourceGroup DeploymentStackAtSubscription "
            "DeploymentStacksWhatIfResultsAtManagementGroup DeploymentStacksWhatIfResultsAtResourceGroup "
            "DeploymentStacksWhatIfResultsAtSubscription Resource ResourceGroup TemplateSpec TemplateSpecVersion"
        ),
        "search": "Service",
        "servicebus": "Namespace",
        "sql": (
            "Database DatabaseThreatDetectionPolicy ElasticPool InstancePool JobAgent ManagedDatabase "
            "ManagedInstance Server VirtualCluster"
        ),
        "storage": "Connector DataShare StorageAccount",
        "synapse": (
            "BigDataPool EventGridDataConnection EventHubDataConnection IotHubDataConnection KustoPool "
            "KustoPoolAttachedDatabaseConfiguration PrivateLinkHub ReadOnlyFollowingDatabase ReadWriteDatabase "
            "SqlPool Workspace"
        ),
        "web": (
            "AiGateway AppServiceEnvironment AppServicePlan Certificate Connection ConnectionGateway CustomApi "
            "KubeEnvironment SiteCertificate SiteCertificateSlot StaticSite WebApp WebAppPremierAddOn "
            "WebAppPremierAddOnSlot WebAppSlot"
        ),
    }.items()
}


def part_of_another(kind: str) -> bool:
    """Whether a kind (`azure-native:keyvault:Key`) has no place of its own; what is not known here has one."""
    package, _, rest = kind.partition(":")
    module, _, name = rest.partition(":")
    return package == "azure-native" and module in _LOCATED and name not in _LOCATED[module]
