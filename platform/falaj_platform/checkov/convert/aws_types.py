"""What AWS's resource types are called in Terraform, and how their inputs differ from Pulumi's.

pulumi-aws is generated from Terraform's provider: an input is the argument in camel case, and a block that may stand
once is an object instead of a list of one. What this does not tell is here: blocks that may stand more than once, which
Pulumi puts in the plural (`many`), arguments that are called otherwise (`renames`), and arguments that hold a map of
the user's own keys, whose names must stay as they are (`maps`; `tags` always is one).

Sources: the schemas of pulumi-aws 7 and of Terraform's provider 6. Types that no check looks at are listed as well:
graph checks follow references through them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from falaj_platform.checkov.values import snake

__all__ = ["NOT_APPLICABLE", "TYPES", "AwsType"]


@dataclass(frozen=True, slots=True)
class AwsType:
    """A type in Terraform: its name, arguments called otherwise by Pulumi's name, those that are maps, and what
    Terraform's provider plans for arguments that nobody gave, where a check reads it."""

    name: str
    renames: Mapping[str, str]
    maps: frozenset[str]
    defaults: Mapping[str, Any]


def _type(
    name: str, /, *, many: str = "", maps: str = "", defaults: Mapping[str, Any] | None = None, **renames: str
) -> AwsType:
    plurals = {plural: snake(plural).removesuffix("s") for plural in many.split()}
    return AwsType(name, {**plurals, **renames}, frozenset({"tags", "tagsAll", *maps.split()}), defaults or {})


_S3_RULES: Final = "rules transitions noncurrentVersionTransitions"
_LB: Final = _type("aws_lb", many="subnetMappings")
_LISTENER: Final = _type("aws_lb_listener", many="defaultActions targetGroups", maps="authenticationRequestExtraParams")
_TARGET_GROUP: Final = _type("aws_lb_target_group", many="targetFailovers targetHealthStates")

TYPES: Final[Mapping[str, AwsType]] = {
    "aws:accessanalyzer:Analyzer": _type("aws_accessanalyzer_analyzer", many="exclusions inclusions"),
    "aws:acm:Certificate": _type("aws_acm_certificate", many="validationOptions"),
    "aws:acm:CertificateValidation": _type("aws_acm_certificate_validation"),
    "aws:alb:Listener": _LISTENER,
    "aws:alb:LoadBalancer": _LB,
    "aws:alb:TargetGroup": _TARGET_GROUP,
    "aws:apigateway:Deployment": _type("aws_api_gateway_deployment", maps="triggers variables", restApi="rest_api_id"),
    "aws:apigateway:DomainName": _type("aws_api_gateway_domain_name"),
    "aws:apigateway:Method": _type(
        "aws_api_gateway_method", maps="requestModels requestParameters", restApi="rest_api_id"
    ),
    "aws:apigateway:MethodSettings": _type("aws_api_gateway_method_settings", restApi="rest_api_id"),
    "aws:apigateway:RestApi": _type("aws_api_gateway_rest_api", maps="parameters"),
    "aws:apigateway:RestApiPolicy": _type("aws_api_gateway_rest_api_policy"),
    "aws:apigateway:Stage": _type(
        "aws_api_gateway_stage",
        maps="variables stageVariableOverrides",
        restApi="rest_api_id",
        deployment="deployment_id",
    ),
    "aws:apigatewayv2:Api": _type("aws_apigatewayv2_api"),
    "aws:apigatewayv2:Route": _type("aws_apigatewayv2_route", many="requestParameters", maps="requestModels"),
    "aws:apigatewayv2:Stage": _type("aws_apigatewayv2_stage", maps="stageVariables"),
    "aws:appautoscaling:Policy": _type("aws_appautoscaling_policy", many="stepAdjustments"),
    "aws:appautoscaling:Target": _type("aws_appautoscaling_target"),
    "aws:athena:Workgroup": _type("aws_athena_workgroup"),
    "aws:autoscaling:Attachment": _type("aws_autoscaling_attachment"),
    "aws:autoscaling:Group": _type("aws_autoscaling_group", many="tags trafficSources initialLifecycleHooks overrides"),
    "aws:autoscaling:Policy": _type("aws_autoscaling_policy", many="stepAdjustments"),
    "aws:backup:Plan": _type(
        "aws_backup_plan",
        many="rules copyActions scanActions advancedBackupSettings scanSettings",
        maps="recoveryPointTags backupOptions",
    ),
    "aws:backup:Selection": _type("aws_backup_selection", many="conditions selectionTags"),
    "aws:backup:Vault": _type("aws_backup_vault"),
    "aws:backup:VaultLockConfiguration": _type("aws_backup_vault_lock_configuration"),
    "aws:backup:VaultPolicy": _type("aws_backup_vault_policy"),
    "aws:batch:JobDefinition": _type(
        "aws_batch_job_definition",
        many="containers initContainers volumes volumeMounts",
        maps="parameters labels limits requests",
        envs="env",
    ),
    "aws:cfg:ConfigurationAggregator": _type("aws_config_configuration_aggregator"),
    "aws:cfg:Recorder": _type("aws_config_configuration_recorder", recordingStrategies="recording_strategy"),
    "aws:cfg:RecorderStatus": _type("aws_config_configuration_recorder_status"),
    "aws:cloudfront:Distribution": _type(
        "aws_cloudfront_distribution",
        many="origins customHeaders orderedCacheBehaviors originGroups members customErrorResponses "
        "functionAssociations lambdaFunctionAssociations",
    ),
    "aws:cloudtrail:EventDataStore": _type(
        "aws_cloudtrail_event_data_store", many="advancedEventSelectors fieldSelectors"
    ),
    "aws:cloudtrail:Trail": _type(
        "aws_cloudtrail",
        many="eventSelectors dataResources insightSelectors advancedEventSelectors fieldSelectors",
    ),
    "aws:cloudwatch:EventBusPolicy": _type("aws_cloudwatch_event_bus_policy"),
    "aws:cloudwatch:EventRule": _type("aws_cloudwatch_event_rule"),
    "aws:cloudwatch:EventTarget": _type(
        "aws_cloudwatch_event_target", maps="headerParameters inputPaths queryStringParameters"
    ),
    "aws:cloudwatch:LogGroup": _type("aws_cloudwatch_log_group"),
    "aws:cloudwatch:LogMetricFilter": _type("aws_cloudwatch_log_metric_filter", maps="dimensions"),
    "aws:cloudwatch:LogStream": _type("aws_cloudwatch_log_stream"),
    "aws:cloudwatch:MetricAlarm": _type("aws_cloudwatch_metric_alarm", maps="dimensions", metricQueries="metric_query"),
    "aws:codebuild:Project": _type("aws_codebuild_project", many="environmentVariables fileSystemLocations"),
    "aws:cognito:IdentityPool": _type("aws_cognito_identity_pool", maps="supportedLoginProviders"),
    "aws:cognito:UserPool": _type("aws_cognito_user_pool", many="schemas"),
    "aws:dlm:LifecyclePolicy": _type(
        "aws_dlm_lifecycle_policy",
        many="schedules crossRegionCopyRules",
        maps="targetTags tagsToAdd variableTags",
        crossRegionCopies="cross_region_copy",
    ),
    "aws:dms:ReplicationInstance": _type("aws_dms_replication_instance"),
    "aws:docdb:Cluster": _type("aws_docdb_cluster"),
    "aws:docdb:ClusterInstance": _type("aws_docdb_cluster_instance"),
    "aws:docdb:ClusterParameterGroup": _type("aws_docdb_cluster_parameter_group", many="parameters"),
    "aws:dynamodb:ResourcePolicy": _type("aws_dynamodb_resource_policy"),
    "aws:dynamodb:Table": _type(
        "aws_dynamodb_table",
        many="attributes keySchemas replicas",
        globalSecondaryIndexes="global_secondary_index",
        localSecondaryIndexes="local_secondary_index",
    ),
    "aws:ebs:DefaultKmsKey": _type("aws_ebs_default_kms_key"),
    "aws:ebs:EncryptionByDefault": _type("aws_ebs_encryption_by_default"),
    "aws:ebs:Snapshot": _type("aws_ebs_snapshot"),
    "aws:ebs:SnapshotBlockPublicAccess": _type("aws_ebs_snapshot_block_public_access"),
    "aws:ebs:SnapshotCopy": _type("aws_ebs_snapshot_copy"),
    "aws:ebs:Volume": _type("aws_ebs_volume"),
    "aws:ec2:Ami": _type("aws_ami", many="ebsBlockDevices ephemeralBlockDevices"),
    "aws:ec2:AmiCopy": _type("aws_ami_copy", many="ebsBlockDevices ephemeralBlockDevices"),
    "aws:ec2:AmiLaunchPermission": _type("aws_ami_launch_permission"),
    "aws:ec2:DefaultSecurityGroup": _type("aws_default_security_group"),
    "aws:ec2:DefaultSubnet": _type("aws_default_subnet"),
    "aws:ec2:DefaultVpc": _type("aws_default_vpc"),
    "aws:ec2:EgressOnlyInternetGateway": _type("aws_egress_only_internet_gateway"),
    "aws:ec2:Eip": _type("aws_eip"),
    "aws:ec2:EipAssociation": _type("aws_eip_association"),
    "aws:ec2:FlowLog": _type("aws_flow_log"),
    "aws:ec2:ImageBlockPublicAccess": _type("aws_ec2_image_block_public_access"),
    "aws:ec2:Instance": _type(
        "aws_instance", many="ebsBlockDevices ephemeralBlockDevices networkInterfaces", maps="volumeTags"
    ),
    "aws:ec2:InstanceMetadataDefaults": _type("aws_ec2_instance_metadata_defaults"),
    "aws:ec2:InternetGateway": _type("aws_internet_gateway"),
    "aws:ec2:KeyPair": _type("aws_key_pair"),
    "aws:ec2:LaunchConfiguration": _type("aws_launch_configuration", many="ebsBlockDevices ephemeralBlockDevices"),
    "aws:ec2:LaunchTemplate": _type("aws_launch_template", many="licenseSpecifications"),
    "aws:ec2:NatGateway": _type("aws_nat_gateway"),
    "aws:ec2:NetworkAcl": _type("aws_network_acl"),
    "aws:ec2:NetworkAclRule": _type("aws_network_acl_rule"),
    "aws:ec2:NetworkInterface": _type("aws_network_interface", many="attachments"),
    "aws:ec2:Route": _type("aws_route"),
    "aws:ec2:RouteTable": _type("aws_route_table", many="routes"),
    "aws:ec2:RouteTableAssociation": _type("aws_route_table_association"),
    "aws:ec2:SecurityGroup": _type("aws_security_group"),
    "aws:ec2:SecurityGroupRule": _type("aws_security_group_rule"),
    "aws:ec2:SpotInstanceRequest": _type(
        "aws_spot_instance_request", many="ebsBlockDevices ephemeralBlockDevices networkInterfaces", maps="volumeTags"
    ),
    "aws:ec2:Subnet": _type("aws_subnet"),
    "aws:ec2:VolumeAttachment": _type("aws_volume_attachment"),
    "aws:ec2:Vpc": _type("aws_vpc"),
    "aws:ec2:VpcDhcpOptions": _type("aws_vpc_dhcp_options"),
    "aws:ec2:VpcEndpoint": _type("aws_vpc_endpoint", many="subnetConfigurations"),
    "aws:ec2:VpcEndpointService": _type("aws_vpc_endpoint_service"),
    "aws:ec2:VpcPeeringConnection": _type("aws_vpc_peering_connection"),
    "aws:ec2transitgateway:TransitGateway": _type("aws_ec2_transit_gateway"),
    "aws:ecr:LifecyclePolicy": _type("aws_ecr_lifecycle_policy"),
    "aws:ecr:PullThroughCacheRule": _type("aws_ecr_pull_through_cache_rule"),
    "aws:ecr:RegistryPolicy": _type("aws_ecr_registry_policy"),
    "aws:ecr:RegistryScanningConfiguration": _type("aws_ecr_registry_scanning_configuration", many="rules"),
    "aws:ecr:ReplicationConfiguration": _type(
        "aws_ecr_replication_configuration", many="rules destinations repositoryFilters"
    ),
    "aws:ecr:Repository": _type(
        "aws_ecr_repository", many="encryptionConfigurations imageTagMutabilityExclusionFilters"
    ),
    "aws:ecr:RepositoryPolicy": _type("aws_ecr_repository_policy"),
    "aws:ecrpublic:Repository": _type("aws_ecrpublic_repository"),
    "aws:ecs:Cluster": _type("aws_ecs_cluster", many="settings"),
    "aws:ecs:Service": _type(
        "aws_ecs_service",
        many="loadBalancers",
        maps="triggers options",
        capacityProviderStrategies="capacity_provider_strategy",
        orderedPlacementStrategies="ordered_placement_strategy",
    ),
    "aws:ecs:TaskDefinition": _type("aws_ecs_task_definition", many="volumes", maps="driverOpts labels properties"),
    "aws:efs:AccessPoint": _type("aws_efs_access_point"),
    "aws:efs:BackupPolicy": _type("aws_efs_backup_policy"),
    "aws:efs:FileSystem": _type("aws_efs_file_system", lifecyclePolicies="lifecycle_policy"),
    "aws:efs:FileSystemPolicy": _type("aws_efs_file_system_policy"),
    "aws:efs:MountTarget": _type("aws_efs_mount_target"),
    "aws:efs:ReplicationConfiguration": _type("aws_efs_replication_configuration"),
    "aws:eks:AccessEntry": _type("aws_eks_access_entry"),
    "aws:eks:AccessPolicyAssociation": _type("aws_eks_access_policy_association"),
    "aws:eks:Addon": _type("aws_eks_addon", many="podIdentityAssociations"),
    "aws:eks:Cluster": _type("aws_eks_cluster"),
    "aws:eks:FargateProfile": _type("aws_eks_fargate_profile", many="selectors", maps="labels"),
    "aws:eks:NodeGroup": _type("aws_eks_node_group", many="taints nodeRepairConfigOverrides", maps="labels"),
    "aws:eks:PodIdentityAssociation": _type("aws_eks_pod_identity_association"),
    "aws:elasticache:Cluster": _type(
        "aws_elasticache_cluster",
        many="logDeliveryConfigurations",
        defaults={"auto_minor_version_upgrade": "true"},
    ),
    "aws:elasticache:ReplicationGroup": _type(
        "aws_elasticache_replication_group", many="logDeliveryConfigurations nodeGroupConfigurations"
    ),
    "aws:elasticache:SubnetGroup": _type("aws_elasticache_subnet_group"),
    "aws:elasticsearch:Domain": _type("aws_elasticsearch_domain", maps="advancedOptions", many="maintenanceSchedules"),
    "aws:elb:LoadBalancer": _type("aws_elb", many="listeners"),
    "aws:emr:Cluster": _type(
        "aws_emr_cluster", many="steps bootstrapActions ebsConfigs placementGroupConfigs", maps="properties"
    ),
    "aws:emr:SecurityConfiguration": _type("aws_emr_security_configuration"),
    "aws:fsx:LustreFileSystem": _type("aws_fsx_lustre_file_system", maps="finalBackupTags"),
    "aws:fsx:OntapFileSystem": _type("aws_fsx_ontap_file_system"),
    "aws:fsx:OpenZfsFileSystem": _type("aws_fsx_openzfs_file_system", maps="finalBackupTags"),
    "aws:fsx:WindowsFileSystem": _type("aws_fsx_windows_file_system", maps="finalBackupTags"),
    "aws:glue:Crawler": _type(
        "aws_glue_crawler",
        many="catalogTargets deltaTargets dynamodbTargets hudiTargets icebergTargets jdbcTargets mongodbTargets "
        "s3Targets",
    ),
    "aws:glue:Job": _type("aws_glue_job", maps="defaultArguments nonOverridableArguments"),
    "aws:glue:ResourcePolicy": _type("aws_glue_resource_policy"),
    "aws:glue:SecurityConfiguration": _type("aws_glue_security_configuration"),
    "aws:guardduty:Detector": _type("aws_guardduty_detector"),
    "aws:iam:AccessKey": _type("aws_iam_access_key"),
    "aws:iam:AccountPasswordPolicy": _type("aws_iam_account_password_policy"),
    "aws:iam:Group": _type("aws_iam_group"),
    "aws:iam:GroupMembership": _type("aws_iam_group_membership"),
    "aws:iam:GroupPolicy": _type("aws_iam_group_policy"),
    "aws:iam:GroupPolicyAttachment": _type("aws_iam_group_policy_attachment"),
    "aws:iam:GroupPolicyAttachmentsExclusive": _type("aws_iam_group_policy_attachments_exclusive"),
    "aws:iam:InstanceProfile": _type("aws_iam_instance_profile"),
    "aws:iam:OpenIdConnectProvider": _type("aws_iam_openid_connect_provider"),
    "aws:iam:Policy": _type("aws_iam_policy"),
    "aws:iam:PolicyAttachment": _type("aws_iam_policy_attachment"),
    "aws:iam:Role": _type("aws_iam_role", inlinePolicies="inline_policy"),
    "aws:iam:RolePolicy": _type("aws_iam_role_policy"),
    "aws:iam:RolePolicyAttachment": _type("aws_iam_role_policy_attachment"),
    "aws:iam:RolePolicyAttachmentsExclusive": _type("aws_iam_role_policy_attachments_exclusive"),
    "aws:iam:ServiceSpecificCredential": _type("aws_iam_service_specific_credential"),
    "aws:iam:User": _type("aws_iam_user"),
    "aws:iam:UserGroupMembership": _type("aws_iam_user_group_membership"),
    "aws:iam:UserLoginProfile": _type("aws_iam_user_login_profile"),
    "aws:iam:UserPolicy": _type("aws_iam_user_policy"),
    "aws:iam:UserPolicyAttachment": _type("aws_iam_user_policy_attachment"),
    "aws:iam:UserPolicyAttachmentsExclusive": _type("aws_iam_user_policy_attachments_exclusive"),
    "aws:kinesis:FirehoseDeliveryStream": _type("aws_kinesis_firehose_delivery_stream", maps="columnToJsonKeyMappings"),
    "aws:kinesis:ResourcePolicy": _type("aws_kinesis_resource_policy"),
    "aws:kinesis:Stream": _type("aws_kinesis_stream"),
    "aws:kms:Alias": _type("aws_kms_alias"),
    "aws:kms:ExternalKey": _type("aws_kms_external_key"),
    "aws:kms:Grant": _type("aws_kms_grant", many="constraints", maps="encryptionContextEquals encryptionContextSubset"),
    "aws:kms:Key": _type("aws_kms_key", defaults={"is_enabled": True}),
    "aws:kms:KeyPolicy": _type("aws_kms_key_policy"),
    "aws:kms:ReplicaKey": _type("aws_kms_replica_key"),
    "aws:lambda:Alias": _type("aws_lambda_alias", maps="additionalVersionWeights"),
    "aws:lambda:CodeSigningConfig": _type("aws_lambda_code_signing_config"),
    "aws:lambda:EventSourceMapping": _type(
        "aws_lambda_event_source_mapping", many="filters sourceAccessConfigurations", maps="endpoints"
    ),
    "aws:lambda:Function": _type("aws_lambda_function", maps="variables", code="filename", name="function_name"),
    "aws:lambda:FunctionUrl": _type("aws_lambda_function_url"),
    "aws:lambda:LayerVersion": _type("aws_lambda_layer_version", code="filename"),
    "aws:lambda:Permission": _type("aws_lambda_permission", function="function_name"),
    "aws:lb:Listener": _LISTENER,
    "aws:lb:LoadBalancer": _LB,
    "aws:lb:TargetGroup": _TARGET_GROUP,
    "aws:lb:TargetGroupAttachment": _type("aws_lb_target_group_attachment"),
    "aws:memorydb:Cluster": _type("aws_memorydb_cluster"),
    "aws:mq:Broker": _type("aws_mq_broker", many="users"),
    "aws:msk:Cluster": _type("aws_msk_cluster"),
    "aws:neptune:Cluster": _type("aws_neptune_cluster"),
    "aws:neptune:ClusterInstance": _type("aws_neptune_cluster_instance"),
    "aws:opensearch:Domain": _type("aws_opensearch_domain", maps="advancedOptions", many="maintenanceSchedules"),
    "aws:opensearch:DomainPolicy": _type("aws_opensearch_domain_policy"),
    "aws:rds:Cluster": _type("aws_rds_cluster"),
    "aws:rds:ClusterInstance": _type("aws_rds_cluster_instance", defaults={"auto_minor_version_upgrade": True}),
    "aws:rds:ClusterParameterGroup": _type("aws_rds_cluster_parameter_group", many="parameters"),
    "aws:rds:ClusterSnapshot": _type("aws_db_cluster_snapshot"),
    "aws:rds:ClusterSnapshotCopy": _type("aws_rds_cluster_snapshot_copy"),
    "aws:rds:GlobalCluster": _type("aws_rds_global_cluster"),
    "aws:rds:Instance": _type("aws_db_instance", defaults={"auto_minor_version_upgrade": True}),
    "aws:rds:OptionGroup": _type("aws_db_option_group", many="options optionSettings"),
    "aws:rds:ParameterGroup": _type("aws_db_parameter_group", many="parameters"),
    "aws:rds:Proxy": _type("aws_db_proxy", many="auths"),
    "aws:rds:Snapshot": _type("aws_db_snapshot"),
    "aws:rds:SnapshotCopy": _type("aws_db_snapshot_copy"),
    "aws:rds:SubnetGroup": _type("aws_db_subnet_group"),
    "aws:redshift:Cluster": _type("aws_redshift_cluster", defaults={"allow_version_upgrade": True}),
    "aws:redshift:ParameterGroup": _type("aws_redshift_parameter_group", many="parameters"),
    "aws:redshiftserverless:Workgroup": _type("aws_redshiftserverless_workgroup", many="configParameters"),
    "aws:route53:HostedZoneDnsSec": _type("aws_route53_hosted_zone_dnssec"),
    "aws:route53:Record": _type(
        "aws_route53_record",
        aliases="alias",
        failoverRoutingPolicies="failover_routing_policy",
        geolocationRoutingPolicies="geolocation_routing_policy",
        latencyRoutingPolicies="latency_routing_policy",
        weightedRoutingPolicies="weighted_routing_policy",
    ),
    "aws:route53:Zone": _type("aws_route53_zone", vpcs="vpc"),
    "aws:s3:AccessPoint": _type("aws_s3_access_point"),
    "aws:s3:AccountPublicAccessBlock": _type("aws_s3_account_public_access_block"),
    "aws:s3:Bucket": _type(
        "aws_s3_bucket",
        many=f"{_S3_RULES} corsRules grants lifecycleRules loggings versionings websites expirations destinations "
        "filters noncurrentVersionExpirations defaultRetentions replicationConfigurations replicationTimes "
        "accessControlTranslations serverSideEncryptionConfigurations applyServerSideEncryptionByDefaults "
        "sseKmsEncryptedObjects",
        sourceSelectionCriterias="source_selection_criteria",
        sseKmsEncryptedObjects="sse_kms_encrypted_objects",
    ),
    "aws:s3:BucketAccelerateConfiguration": _type("aws_s3_bucket_accelerate_configuration"),
    "aws:s3:BucketAcl": _type("aws_s3_bucket_acl", many="grants"),
    "aws:s3:BucketCorsConfiguration": _type("aws_s3_bucket_cors_configuration", many="corsRules"),
    "aws:s3:BucketIntelligentTieringConfiguration": _type(
        "aws_s3_bucket_intelligent_tiering_configuration", many="tierings"
    ),
    "aws:s3:BucketLifecycleConfiguration": _type("aws_s3_bucket_lifecycle_configuration", many=_S3_RULES),
    "aws:s3:BucketLogging": _type("aws_s3_bucket_logging", many="targetGrants"),
    "aws:s3:BucketMetric": _type("aws_s3_bucket_metric"),
    "aws:s3:BucketNotification": _type("aws_s3_bucket_notification", many="lambdaFunctions queues topics"),
    "aws:s3:BucketObject": _type("aws_s3_bucket_object", maps="metadata"),
    "aws:s3:BucketObjectLockConfiguration": _type("aws_s3_bucket_object_lock_configuration"),
    "aws:s3:BucketObjectv2": _type("aws_s3_object", maps="metadata"),
    "aws:s3:BucketOwnershipControls": _type("aws_s3_bucket_ownership_controls"),
    "aws:s3:BucketPolicy": _type("aws_s3_bucket_policy"),
    "aws:s3:BucketPublicAccessBlock": _type("aws_s3_bucket_public_access_block"),
    "aws:s3:BucketReplicationConfig": _type("aws_s3_bucket_replication_configuration", many="rules"),
    "aws:s3:BucketRequestPaymentConfiguration": _type("aws_s3_bucket_request_payment_configuration"),
    "aws:s3:BucketServerSideEncryptionConfiguration": _type(
        "aws_s3_bucket_server_side_encryption_configuration", many="rules"
    ),
    "aws:s3:BucketVersioning": _type("aws_s3_bucket_versioning"),
    "aws:s3:BucketWebsiteConfiguration": _type("aws_s3_bucket_website_configuration", many="routingRules"),
    "aws:s3:ObjectCopy": _type("aws_s3_object_copy", many="grants", maps="metadata"),
    "aws:s3control:AccessPointPolicy": _type("aws_s3control_access_point_policy"),
    "aws:s3control:BucketPolicy": _type("aws_s3control_bucket_policy"),
    "aws:s3control:MultiRegionAccessPointPolicy": _type("aws_s3control_multi_region_access_point_policy"),
    "aws:s3control:ObjectLambdaAccessPointPolicy": _type("aws_s3control_object_lambda_access_point_policy"),
    "aws:sagemaker:Domain": _type(
        "aws_sagemaker_domain", many="customImages customFileSystemConfigs", codeRepositories="code_repository"
    ),
    "aws:sagemaker:Endpoint": _type("aws_sagemaker_endpoint", many="alarms"),
    "aws:sagemaker:EndpointConfiguration": _type("aws_sagemaker_endpoint_configuration"),
    "aws:sagemaker:Model": _type(
        "aws_sagemaker_model", many="containers additionalModelDataSources s3DataSources", maps="environment"
    ),
    "aws:sagemaker:ModelPackageGroup": _type("aws_sagemaker_model_package_group"),
    "aws:sagemaker:NotebookInstance": _type("aws_sagemaker_notebook_instance"),
    "aws:sagemaker:UserProfile": _type(
        "aws_sagemaker_user_profile", many="customImages customFileSystemConfigs", codeRepositories="code_repository"
    ),
    "aws:secretsmanager:Secret": _type("aws_secretsmanager_secret", many="replicas"),
    "aws:secretsmanager:SecretPolicy": _type("aws_secretsmanager_secret_policy"),
    "aws:secretsmanager:SecretRotation": _type("aws_secretsmanager_secret_rotation"),
    "aws:secretsmanager:SecretVersion": _type("aws_secretsmanager_secret_version"),
    "aws:securityhub:Account": _type("aws_securityhub_account"),
    "aws:sfn:StateMachine": _type("aws_sfn_state_machine"),
    "aws:sns:Topic": _type("aws_sns_topic"),
    "aws:sns:TopicPolicy": _type("aws_sns_topic_policy"),
    "aws:sns:TopicSubscription": _type("aws_sns_topic_subscription"),
    "aws:sqs:Queue": _type("aws_sqs_queue"),
    "aws:sqs:QueuePolicy": _type("aws_sqs_queue_policy"),
    "aws:ssm:Document": _type("aws_ssm_document", maps="permissions", many="attachmentsSources"),
    "aws:ssm:Parameter": _type("aws_ssm_parameter"),
    "aws:ssoadmin:ManagedPolicyAttachment": _type("aws_ssoadmin_managed_policy_attachment"),
    "aws:ssoadmin:PermissionSetInlinePolicy": _type("aws_ssoadmin_permission_set_inline_policy"),
    "aws:transfer:Server": _type("aws_transfer_server"),
    "aws:vpc:SecurityGroupEgressRule": _type("aws_vpc_security_group_egress_rule"),
    "aws:vpc:SecurityGroupIngressRule": _type("aws_vpc_security_group_ingress_rule"),
    "aws:wafv2:WebAcl": _type(
        "aws_wafv2_web_acl",
        many="rules ruleActionOverrides ruleLabels statements textTransformations managedRuleGroupConfigs "
        "excludedRules",
    ),
    "aws:wafv2:WebAclAssociation": _type("aws_wafv2_web_acl_association"),
    "aws:wafv2:WebAclLoggingConfiguration": _type("aws_wafv2_web_acl_logging_configuration"),
}

# Nothing of these is a Terraform resource: looked up or generated by the provider's own functions.
NOT_APPLICABLE: Final = frozenset({"aws:index:Provider"})
