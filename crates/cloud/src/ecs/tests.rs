//! The service over a test cloud, and the fixtures that its other tests use.

use std::net::Ipv4Addr;
use std::sync::Arc;

use aws_wire::Error;
use aws_wire::ecs::*;
use jiff::{SignedDuration, Timestamp};

use super::EcsService;
use super::reconciler::settle;
use super::state::AgentSession;
use super::state::ContainerInstanceRecord;
use crate::api::tags::Tags;
use crate::context::{Caller, Ctx, Origin};
use crate::ec2::state::{InstanceRecord, InstanceState};
use crate::store::StoreError;
use crate::testing::{Bench, IMAGE, REGION};

pub const INSTANCE: &str = "i-0123456789abcdef0";

/// Puts a running EC2 instance.
pub fn launch(bench: &Bench, id: &str) {
    let record = InstanceRecord {
        region: REGION.into(),
        id: id.into(),
        reservation_id: "r-1".into(),
        requester_id: None,
        launch_index: 0,
        launch_time: Timestamp::now(),
        client_token: None,
        request_digest: String::new(),
        state: InstanceState::Running,
        state_reason: None,
        transition_reason: String::new(),
        terminated_at: None,
        stop_by_force: false,
        resumes: false,
        reboot_requested: false,
        imaging: false,
        drivers: Default::default(),
        image_id: IMAGE.into(),
        architecture: "x86_64".into(),
        root_device: "/dev/xvda".into(),
        instance_type: "t2.micro".into(),
        key_name: None,
        public_key: None,
        user_data: None,
        profile: None,
        zone: "us-east-1a".into(),
        vpc_id: "vpc-1".into(),
        subnet_id: "subnet-1".into(),
        network_interface_id: "eni-1".into(),
        private_address: Ipv4Addr::new(10, 0, 0, 4),
        wants_public_address: false,
        volumes: Vec::new(),
        metadata: Default::default(),
        shutdown_behavior: Default::default(),
        disable_api_termination: false,
        disable_api_stop: false,
        monitoring: false,
        ebs_optimized: false,
        tags: Tags::new(),
    };
    put(bench, record);
}

fn put<T: crate::Record>(bench: &Bench, record: T) {
    bench.cloud.store.write::<_, StoreError>(|tx| tx.put(record)).unwrap();
}

fn change_instance(bench: &Bench, id: &str, change: impl FnOnce(&mut InstanceRecord)) {
    let mut record = (*bench.cloud.store.get::<InstanceRecord>(REGION, id).unwrap()).clone();
    change(&mut record);
    put(bench, record);
}

pub fn create_cluster(bench: &Bench, name: &str) {
    let input = CreateClusterRequest { cluster_name: Some(name.into()), ..Default::default() };
    EcsService.create_cluster(&bench.ctx(), input).unwrap();
}

fn request(bench: &Bench, cluster: &str, instance: &str) -> RegisterContainerInstanceRequest {
    let document = format!(r#"{{"instanceId":"{instance}","region":"{REGION}"}}"#);
    let resource = |name: &str, value: i32| Resource {
        name: Some(name.into()),
        type_: Some("INTEGER".into()),
        integer_value: Some(value),
        ..Default::default()
    };
    RegisterContainerInstanceRequest {
        cluster: Some(cluster.into()),
        instance_identity_document_signature: Some(bench.cloud.identity.sign(&document).unwrap()),
        instance_identity_document: Some(document),
        total_resources: vec![resource("CPU", 1024), resource("MEMORY", 983)],
        attributes: vec![Attribute {
            name: Some("stack".into()),
            value: Some("blue".into()),
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn send(bench: &Bench, input: RegisterContainerInstanceRequest) -> Result<ContainerInstance, Error> {
    EcsService
        .register_container_instance(&bench.ctx(), input)
        .map(|answer| answer.container_instance.unwrap())
}

/// Registers an instance and returns its container instance's ARN.
pub fn register(bench: &Bench, cluster: &str, instance: &str) -> String {
    send(bench, request(bench, cluster, instance)).unwrap().container_instance_arn.unwrap()
}

fn describe_cluster(bench: &Bench, name: &str) -> Cluster {
    let include = ["TAGS", "SETTINGS", "STATISTICS"].map(str::to_owned).to_vec();
    let input = DescribeClustersRequest { clusters: vec![name.into()], include };
    EcsService.describe_clusters(&bench.ctx(), input).unwrap().clusters.remove(0)
}

fn describe(bench: &Bench, cluster: &str, arn: &str) -> ContainerInstance {
    let input = DescribeContainerInstancesRequest {
        cluster: Some(cluster.into()),
        container_instances: vec![arn.into()],
        ..Default::default()
    };
    EcsService.describe_container_instances(&bench.ctx(), input).unwrap().container_instances.remove(0)
}

pub fn record(bench: &Bench, arn: &str) -> Arc<ContainerInstanceRecord> {
    bench.cloud.store.get(REGION, arn.rsplit('/').next().unwrap()).unwrap()
}

fn list(bench: &Bench, filter: Option<&str>, status: Option<&str>) -> Result<Vec<String>, Error> {
    let input = ListContainerInstancesRequest {
        cluster: Some("web".into()),
        filter: filter.map(str::to_owned),
        status: status.map(str::to_owned),
        ..Default::default()
    };
    EcsService.list_container_instances(&bench.ctx(), input).map(|answer| answer.container_instance_arns)
}

#[test]
fn clusters_come_and_go() {
    let bench = Bench::new();
    let ctx = bench.ctx();
    create_cluster(&bench, "web");
    create_cluster(&bench, "web");
    let input = CreateClusterRequest { cluster_name: Some("a b".into()), ..Default::default() };
    assert_eq!(EcsService.create_cluster(&ctx, input).unwrap_err().code, "InvalidParameterException");
    let input = CreateClusterRequest { capacity_providers: vec!["FARGATE".into()], ..Default::default() };
    assert!(EcsService.create_cluster(&ctx, input).unwrap_err().message.contains("capacityProviders"));

    let cluster = describe_cluster(&bench, "web");
    assert_eq!(cluster.cluster_arn.as_deref(), Some("arn:aws:ecs:us-east-1:123456789012:cluster/web"));
    assert_eq!(
        (cluster.status.as_deref(), cluster.registered_container_instances_count),
        (Some("ACTIVE"), Some(0))
    );
    assert_eq!(cluster.settings[0].value.as_deref(), Some("disabled"));
    let nothing = EcsService.describe_clusters(&ctx, DescribeClustersRequest::default()).unwrap();
    assert_eq!(
        nothing.failures[0].arn.as_deref(),
        Some("arn:aws:ecs:us-east-1:123456789012:cluster/default")
    );
    assert_eq!(nothing.failures[0].reason.as_deref(), Some("MISSING"));

    launch(&bench, INSTANCE);
    let arn = register(&bench, "web", INSTANCE);
    assert_eq!(describe_cluster(&bench, "web").registered_container_instances_count, Some(1));
    let delete = || EcsService.delete_cluster(&ctx, DeleteClusterRequest { cluster: Some("web".into()) });
    assert_eq!(delete().unwrap_err().code, "ClusterContainsContainerInstancesException");
    let input = DeregisterContainerInstanceRequest {
        cluster: Some("web".into()),
        container_instance: Some(arn),
        force: None,
    };
    EcsService.deregister_container_instance(&ctx, input).unwrap();
    assert_eq!(delete().unwrap().cluster.unwrap().status.as_deref(), Some("INACTIVE"));
    assert_eq!(delete().unwrap_err().code, "ClusterNotFoundException");
    assert_eq!(describe_cluster(&bench, "web").status.as_deref(), Some("INACTIVE"));
    assert!(EcsService.list_clusters(&ctx, ListClustersRequest::default()).unwrap().cluster_arns.is_empty());
    create_cluster(&bench, "web");
    assert_eq!(describe_cluster(&bench, "web").status.as_deref(), Some("ACTIVE"));
}

#[test]
fn an_instance_registers_once_and_stays_who_it_is() {
    let bench = Bench::new();
    create_cluster(&bench, "web");
    launch(&bench, INSTANCE);
    let first = send(&bench, request(&bench, "web", INSTANCE)).unwrap();
    let arn = first.container_instance_arn.clone().unwrap();
    assert!(arn.starts_with("arn:aws:ecs:us-east-1:123456789012:container-instance/web/"));
    assert_eq!((first.status.as_deref(), first.agent_connected), (Some("ACTIVE"), Some(false)));
    let attribute = |name: &str| {
        first
            .attributes
            .iter()
            .find(|one| one.name.as_deref() == Some(name))
            .and_then(|one| one.value.clone())
    };
    for (name, value) in [
        ("ecs.ami-id", IMAGE),
        ("ecs.availability-zone", "us-east-1a"),
        ("ecs.instance-type", "t2.micro"),
        ("ecs.os-type", "linux"),
        ("ecs.vpc-id", "vpc-1"),
        ("stack", "blue"),
    ] {
        assert_eq!(attribute(name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(first.remaining_resources, first.registered_resources);
    assert_eq!(register(&bench, "web", INSTANCE), arn, "its first answer was lost");
    let known = RegisterContainerInstanceRequest {
        container_instance_arn: Some(arn.clone()),
        ..request(&bench, "web", INSTANCE)
    };
    assert_eq!(send(&bench, known.clone()).unwrap().version, Some(3));
    assert_eq!(list(&bench, None, None).unwrap(), std::slice::from_ref(&arn));

    change_instance(&bench, INSTANCE, |instance| instance.instance_type = "t2.large".into());
    let changed = send(&bench, known.clone()).unwrap_err();
    assert_eq!(changed.message, "Container instance type changes are not supported.");
    change_instance(&bench, INSTANCE, |instance| instance.instance_type = "t2.micro".into());

    let input = DeregisterContainerInstanceRequest {
        cluster: Some("web".into()),
        container_instance: Some(arn.clone()),
        force: Some(true),
    };
    let gone = EcsService.deregister_container_instance(&bench.ctx(), input).unwrap();
    assert_eq!(gone.container_instance.unwrap().status.as_deref(), Some("INACTIVE"));
    let inactive = send(&bench, known).unwrap_err();
    assert_eq!(inactive.code, "ClientException");
    assert!(inactive.message.ends_with("is inactive."), "{inactive}");
    assert_ne!(register(&bench, "web", INSTANCE), arn);
    assert_eq!(describe(&bench, "web", &arn).status.as_deref(), Some("INACTIVE"));
}

#[test]
fn who_does_not_prove_who_it_is_cannot_register() {
    let bench = Bench::new();
    create_cluster(&bench, "web");
    launch(&bench, INSTANCE);
    let good = || request(&bench, "web", INSTANCE);
    let cases = [
        (
            RegisterContainerInstanceRequest { cluster: Some("none".into()), ..good() },
            "ClusterNotFoundException",
        ),
        (
            RegisterContainerInstanceRequest {
                instance_identity_document_signature: Some("bm8=".into()),
                ..good()
            },
            "ClientException",
        ),
        (RegisterContainerInstanceRequest { instance_identity_document: None, ..good() }, "ClientException"),
        (request(&bench, "web", "i-0none"), "ClientException"),
        (
            RegisterContainerInstanceRequest {
                container_instance_arn: Some(
                    "arn:aws:ecs:us-east-1:123456789012:container-instance/web/0a".into(),
                ),
                ..good()
            },
            "ClientException",
        ),
    ];
    for (input, code) in cases {
        let refused = send(&bench, input).unwrap_err();
        assert_eq!(refused.code, code, "{refused}");
    }
    change_instance(&bench, INSTANCE, |instance| instance.state = InstanceState::Terminated);
    assert!(send(&bench, good()).unwrap_err().message.contains("terminated"));
}

#[test]
fn container_instances_follow_their_ec2_instances() {
    let bench = Bench::new();
    create_cluster(&bench, "web");
    launch(&bench, INSTANCE);
    let arn = register(&bench, "web", INSTANCE);
    let connect = |session: AgentSession| {
        let mut connected = (*record(&bench, &arn)).clone();
        connected.connect(Some(session));
        put(&bench, connected);
    };
    let settle = |after: SignedDuration| settle(&bench.cloud.store, Timestamp::now() + after).unwrap();
    connect(AgentSession::of_an_earlier_run());
    assert_eq!(describe(&bench, "web", &arn).agent_connected, Some(false));
    settle(SignedDuration::ZERO);
    assert_eq!(record(&bench, &arn).session, None, "the daemon was started again");

    connect(AgentSession::new());
    settle(SignedDuration::ZERO);
    assert_eq!(describe(&bench, "web", &arn).agent_connected, Some(true));
    assert_eq!(list(&bench, Some("agentConnected == true"), None).unwrap().len(), 1);
    change_instance(&bench, INSTANCE, |instance| instance.state = InstanceState::Stopped);
    settle(SignedDuration::ZERO);
    let stopped = describe(&bench, "web", &arn);
    assert_eq!((stopped.agent_connected, stopped.status.as_deref()), (Some(false), Some("ACTIVE")));

    change_instance(&bench, INSTANCE, |instance| instance.state = InstanceState::Terminated);
    settle(SignedDuration::ZERO);
    assert_eq!(describe(&bench, "web", &arn).status.as_deref(), Some("INACTIVE"));
    assert_eq!(describe_cluster(&bench, "web").registered_container_instances_count, Some(0));
    assert!(list(&bench, None, None).unwrap().is_empty());
    let version = bench.cloud.store.version();
    settle(SignedDuration::ZERO);
    assert_eq!(bench.cloud.store.version(), version, "nothing more is to be done");
    settle(SignedDuration::from_hours(2));
    assert!(bench.cloud.store.all::<ContainerInstanceRecord>().is_empty());
}

#[test]
fn container_instances_are_drained_filtered_and_given_attributes() {
    let bench = Bench::new();
    let ctx = bench.ctx();
    create_cluster(&bench, "web");
    launch(&bench, INSTANCE);
    launch(&bench, "i-0other");
    let (one, other) = (register(&bench, "web", INSTANCE), register(&bench, "web", "i-0other"));
    let input = UpdateContainerInstancesStateRequest {
        cluster: Some("web".into()),
        container_instances: vec![one.clone(), "none".into()],
        status: Some("DRAINING".into()),
    };
    let answer = EcsService.update_container_instances_state(&ctx, input).unwrap();
    assert_eq!((answer.container_instances.len(), answer.failures.len()), (1, 1));
    assert_eq!(list(&bench, None, Some("DRAINING")).unwrap(), std::slice::from_ref(&one));
    assert_eq!(describe_cluster(&bench, "web").registered_container_instances_count, Some(2));

    let target = |name: &str, value: &str| Attribute {
        name: Some(name.into()),
        value: Some(value.into()),
        target_type: Some("container-instance".into()),
        target_id: Some(other.rsplit('/').next().unwrap().into()),
    };
    let put = |name: &str, value: &str| {
        let input =
            PutAttributesRequest { cluster: Some("web".into()), attributes: vec![target(name, value)] };
        EcsService.put_attributes(&ctx, input)
    };
    put("rack", "7").unwrap();
    assert!(put("ecs.ami-id", "x").is_err());
    assert_eq!(list(&bench, Some("attribute:rack == 7"), None).unwrap(), std::slice::from_ref(&other));
    assert_eq!(
        list(&bench, Some("ec2InstanceId in [i-0other]"), None).unwrap(),
        std::slice::from_ref(&other)
    );
    assert_eq!(list(&bench, Some("task:group == x"), None).unwrap_err().code, "InvalidParameterException");
    for n in 0..8 {
        put(&format!("a{n}"), "x").unwrap();
    }
    assert_eq!(put("too", "many").unwrap_err().code, "AttributeLimitExceededException");
    let input = ListAttributesRequest {
        cluster: Some("web".into()),
        target_type: Some("container-instance".into()),
        attribute_name: Some("rack".into()),
        ..Default::default()
    };
    let listed = EcsService.list_attributes(&ctx, input).unwrap().attributes;
    assert_eq!(listed[0].target_id.as_ref(), Some(&other));
    let input = DeleteAttributesRequest { cluster: Some("web".into()), attributes: vec![target("rack", "")] };
    assert_eq!(EcsService.delete_attributes(&ctx, input).unwrap().attributes.len(), 1);
    assert!(list(&bench, Some("attribute:rack exists"), None).unwrap().is_empty());

    let input = UpdateContainerAgentRequest { cluster: Some("web".into()), container_instance: Some(other) };
    assert_eq!(
        EcsService.update_container_agent(&ctx, input).unwrap_err().code,
        "NoUpdateAvailableException"
    );
}

#[test]
fn there_are_no_tasks_and_it_says_so() {
    let bench = Bench::new();
    let ctx = bench.ctx();
    create_cluster(&bench, "web");
    let cluster = Some("web".to_owned());
    let input = ListTasksRequest { cluster: cluster.clone(), ..Default::default() };
    assert!(EcsService.list_tasks(&ctx, input).unwrap().task_arns.is_empty());
    let input =
        DescribeTasksRequest { cluster: cluster.clone(), tasks: vec!["0a".into()], ..Default::default() };
    let failures = EcsService.describe_tasks(&ctx, input).unwrap().failures;
    assert_eq!(failures[0].arn.as_deref(), Some("arn:aws:ecs:us-east-1:123456789012:task/web/0a"));
    let input = DescribeServicesRequest {
        cluster: cluster.clone(),
        services: vec!["s".into()],
        ..Default::default()
    };
    assert_eq!(
        EcsService.describe_services(&ctx, input).unwrap().failures[0].reason.as_deref(),
        Some("MISSING")
    );
    let input = SubmitTaskStateChangeRequest { cluster, task: Some("0a".into()), ..Default::default() };
    assert_eq!(EcsService.submit_task_state_change(&ctx, input).unwrap_err().code, "ClientException");
    let input = ListServicesRequest { cluster: Some("none".into()), ..Default::default() };
    assert_eq!(EcsService.list_services(&ctx, input).unwrap_err().code, "ClusterNotFoundException");
}

#[test]
fn poll_endpoints_lead_to_this_cloud_or_are_not_told() {
    let bench = Bench::new();
    let inside = Origin::Instance { vpc_id: "vpc-1".into(), address: Ipv4Addr::new(10, 0, 0, 4) };
    let ctx = Ctx { origin: inside, ..bench.ctx() };
    let found = EcsService.discover_poll_endpoint(&ctx, DiscoverPollEndpointRequest::default()).unwrap();
    assert_eq!(found.endpoint.as_deref(), Some("https://ecs-a-1.us-east-1.amazonaws.com/"));
    assert_eq!(found.telemetry_endpoint.as_deref(), Some("https://ecs-t-1.us-east-1.amazonaws.com/"));
    assert!(EcsService.discover_poll_endpoint(&bench.ctx(), DiscoverPollEndpointRequest::default()).is_err());
}

#[test]
fn tags_and_settings() {
    let bench = Bench::new();
    let user = bench.ctx();
    create_cluster(&bench, "web");
    let arn = describe_cluster(&bench, "web").cluster_arn;
    let tag = |key: &str| Tag { key: Some(key.into()), value: Some("v".into()) };
    let add = |ctx: &Ctx, key: &str| {
        EcsService.tag_resource(ctx, TagResourceRequest { resource_arn: arn.clone(), tags: vec![tag(key)] })
    };
    let service =
        Ctx { caller: Caller::Service { principal: "cloudformation.amazonaws.com" }, ..bench.ctx() };
    add(&user, "mine").unwrap();
    assert!(add(&user, "aws:x").is_err());
    add(&service, "aws:x").unwrap();
    let remove = |key: &str| {
        let input = UntagResourceRequest { resource_arn: arn.clone(), tag_keys: vec![key.into()] };
        EcsService.untag_resource(&user, input)
    };
    assert!(remove("aws:x").is_err());
    remove("mine").unwrap();
    assert_eq!(describe_cluster(&bench, "web").tags, [tag("aws:x")]);

    let set = |name: &str, value: &str| {
        let input = PutAccountSettingRequest {
            name: Some(name.into()),
            value: Some(value.into()),
            principal_arn: None,
        };
        EcsService.put_account_setting(&user, input)
    };
    set("containerInsights", "enabled").unwrap();
    assert!(set("taskLongArnFormat", "disabled").unwrap_err().message.contains("taskLongArnFormat"));
    let listed = |effective: bool| {
        let input = ListAccountSettingsRequest { effective_settings: Some(effective), ..Default::default() };
        EcsService.list_account_settings(&user, input).unwrap().settings
    };
    assert_eq!((listed(false).len(), listed(true).len()), (1, 11));
    create_cluster(&bench, "watched");
    assert_eq!(describe_cluster(&bench, "watched").settings[0].value.as_deref(), Some("enabled"));
}
