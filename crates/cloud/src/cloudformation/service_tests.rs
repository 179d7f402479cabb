//! The resource types against the cloud's own services, on simulated machines.

use std::sync::Arc;

use aws_wire::cloudformation::{
    CloudFormation, CreateStackInput, DeleteStackInput, DescribeStackResourcesInput, Parameter,
    UpdateStackInput,
};
use aws_wire::ec2::{DescribeSecurityGroupsRequest, Ec2};
use aws_wire::ecs::{DescribeClustersRequest, Ecs};
use aws_wire::iam::{GetInstanceProfileRequest, GetRolePolicyRequest, Iam};
use aws_wire::ssm::{GetParameterRequest, Ssm};

use super::state::{Event, Stack};
use super::{CloudFormationService, run};
use crate::ec2::Ec2Service;
use crate::ecs::EcsService;
use crate::iam::IamService;
use crate::logs::state::GroupRecord;
use crate::ssm::SsmService;
use crate::testing::{Bench, IMAGE, REGION};

const BASE: &str = r#"
Parameters:
  Size: {Type: String, Default: one}
Resources:
  Wall:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: !Sub ${AWS::StackName} wall
      SecurityGroupIngress:
        - {IpProtocol: tcp, FromPort: 22, ToPort: 22, CidrIp: 0.0.0.0/0}
      SecurityGroupEgress:
        - {IpProtocol: tcp, FromPort: 443, ToPort: 443, CidrIp: 0.0.0.0/0}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Principal: {Service: [ec2.amazonaws.com]}, Action: ['sts:AssumeRole']}]
      Policies:
        - PolicyName: Poll
          PolicyDocument:
            Version: "2012-10-17"
            Statement: [{Effect: Allow, Action: ['ecs:Poll'], Resource: !Sub '${Cluster.Arn}'}]
  Profile: {Type: AWS::IAM::InstanceProfile, Properties: {Roles: [!Ref Role]}}
  Cluster: {Type: AWS::ECS::Cluster, Properties: {ClusterName: the-cluster}}
  Setting: {Type: AWS::SSM::Parameter, Properties: {Name: /the/size, Type: String, Value: !Ref Size}}
  Template:
    Type: AWS::EC2::LaunchTemplate
    Properties:
      LaunchTemplateData:
        ImageId: ami-0000000000000ba5e
        InstanceType: t2.micro
        SecurityGroupIds: [!GetAtt Wall.GroupId]
        IamInstanceProfile: {Arn: !GetAtt Profile.Arn}
        UserData: !Base64 'echo hello'
Outputs:
  Wall: {Value: !Ref Wall}
"#;

pub(super) fn input(template: &str) -> CreateStackInput {
    CreateStackInput {
        stack_name: Some("base".into()),
        template_body: Some(template.into()),
        capabilities: vec!["CAPABILITY_IAM".into()],
        ..Default::default()
    }
}

fn status(cloud: &crate::Cloud) -> String {
    let stacks = cloud.store.list::<Stack>(REGION);
    stacks.first().map(|stack| stack.status.to_string()).unwrap_or_default()
}

/// Waits for a state in which nothing is going on.
pub(super) async fn settled(bench: &Bench, expected: &str) {
    bench.until("the stack settles", |cloud| !status(cloud).ends_with("IN_PROGRESS")).await;
    let events = bench.cloud.store.list::<Event>(REGION);
    let told: Vec<String> = events
        .iter()
        .map(|event| {
            format!("{} {} {}", event.logical_id, event.status, event.reason.clone().unwrap_or_default())
        })
        .collect();
    assert_eq!(status(&bench.cloud), expected, "{told:#?}");
}

pub(super) fn regions(bench: &Bench) {
    crate::ec2::ensure_region(&bench.cloud, REGION).unwrap();
}

#[tokio::test]
async fn a_stack_is_made_of_the_services_own_resources_and_leaves_none() {
    let bench = Bench::new();
    regions(&bench);
    let engine = tokio::spawn(run(Arc::clone(&bench.cloud)));
    let ctx = bench.ctx();
    CloudFormationService.create_stack(&ctx, input(BASE)).unwrap();
    settled(&bench, "CREATE_COMPLETE").await;

    let resources = CloudFormationService
        .describe_stack_resources(
            &ctx,
            DescribeStackResourcesInput { stack_name: Some("base".into()), ..Default::default() },
        )
        .unwrap()
        .stack_resources;
    let id = |logical: &str| {
        let found = resources
            .iter()
            .find(|resource| resource.logical_resource_id.as_deref() == Some(logical))
            .unwrap();
        found.physical_resource_id.clone().unwrap()
    };
    let groups = |id: String| {
        let ask = DescribeSecurityGroupsRequest { group_ids: vec![id], ..Default::default() };
        Ec2Service.describe_security_groups(&ctx, ask)
    };
    let wall = groups(id("Wall")).unwrap().security_groups.remove(0);
    assert_eq!(wall.ip_permissions_egress.len(), 1, "the rule that every new group has is gone");
    assert_eq!(wall.ip_permissions_egress[0].from_port, Some(443));
    assert!(wall.group_name.unwrap().starts_with("base-Wall-"));
    assert!(wall.tags.iter().any(|tag| tag.key.as_deref() == Some("aws:cloudformation:logical-id")));
    let profile = IamService
        .get_instance_profile(&ctx, GetInstanceProfileRequest { instance_profile_name: Some(id("Profile")) })
        .unwrap();
    assert_eq!(profile.instance_profile.unwrap().roles[0].role_name, Some(id("Role")));
    let policy = IamService
        .get_role_policy(
            &ctx,
            GetRolePolicyRequest { role_name: Some(id("Role")), policy_name: Some("Poll".into()) },
        )
        .unwrap();
    assert!(policy.policy_document.unwrap().contains("the-cluster"));
    let size = || {
        let ask = GetParameterRequest { name: Some("/the/size".into()), ..Default::default() };
        SsmService.get_parameter(&ctx, ask).unwrap().parameter.unwrap().value.unwrap()
    };
    assert_eq!(size(), "one");

    let update = UpdateStackInput {
        stack_name: Some("base".into()),
        template_body: Some(BASE.replace("FromPort: 443, ToPort: 443", "FromPort: 80, ToPort: 80")),
        parameters: vec![Parameter {
            parameter_key: Some("Size".into()),
            parameter_value: Some("two".into()),
            ..Default::default()
        }],
        capabilities: vec!["CAPABILITY_IAM".into()],
        ..Default::default()
    };
    CloudFormationService.update_stack(&ctx, update).unwrap();
    settled(&bench, "UPDATE_COMPLETE").await;
    assert_eq!(size(), "two");
    let wall = groups(id("Wall")).unwrap().security_groups.remove(0);
    assert_eq!(wall.ip_permissions_egress.len(), 1);
    assert_eq!(wall.ip_permissions_egress[0].from_port, Some(80));

    CloudFormationService
        .delete_stack(&ctx, DeleteStackInput { stack_name: Some("base".into()), ..Default::default() })
        .unwrap();
    settled(&bench, "DELETE_COMPLETE").await;
    assert_eq!(groups(id("Wall")).unwrap_err().code, "InvalidGroup.NotFound");
    let clusters = EcsService
        .describe_clusters(
            &ctx,
            DescribeClustersRequest { clusters: vec!["the-cluster".into()], ..Default::default() },
        )
        .unwrap();
    assert!(clusters.clusters.iter().all(|cluster| cluster.status.as_deref() != Some("ACTIVE")));
    engine.abort();
}

#[tokio::test]
async fn what_does_not_exist_is_refused_with_its_place_and_no_stack_is_made() {
    let bench = Bench::new();
    regions(&bench);
    let ctx = bench.ctx();
    let cases = [
        (
            BASE.replace(IMAGE, "ami-00000000000000bad"),
            "ami-00000000000000bad",
            "at Resources/Template/Properties/LaunchTemplateData/ImageId)",
        ),
        (
            BASE.replace("InstanceType: t2.micro", "KeyName: nobodys"),
            "nobodys",
            "at Resources/Template/Properties/LaunchTemplateData/KeyName)",
        ),
        (
            BASE.replace("GroupDescription:", "VpcId: vpc-00000000\n      GroupDescription:"),
            "vpc-00000000",
            "line 8, column 14, at Resources/Wall/Properties/VpcId)",
        ),
        (BASE.replace("[!Ref Role]", "[nobody]"), "nobody", "at Resources/Profile/Properties/Roles/0)"),
    ];
    for (template, name, place) in cases {
        let error = CloudFormationService.create_stack(&ctx, input(&template)).unwrap_err();
        assert_eq!(error.code, "ValidationError");
        assert!(error.message.contains(name) && error.message.contains(place), "{}", error.message);
    }
    assert!(bench.cloud.store.list::<Stack>(REGION).is_empty());
}

#[tokio::test]
async fn a_name_that_is_taken_fails_and_what_has_it_stays() {
    let bench = Bench::new();
    regions(&bench);
    let engine = tokio::spawn(run(Arc::clone(&bench.cloud)));
    let ctx = bench.ctx();
    let mine = aws_wire::ecs::CreateClusterRequest {
        cluster_name: Some("the-cluster".into()),
        ..Default::default()
    };
    EcsService.create_cluster(&ctx, mine).unwrap();
    CloudFormationService.create_stack(&ctx, input(BASE)).unwrap();
    settled(&bench, "ROLLBACK_COMPLETE").await;
    let ask = DescribeClustersRequest { clusters: vec!["the-cluster".into()], ..Default::default() };
    let found = EcsService.describe_clusters(&ctx, ask).unwrap();
    assert_eq!(found.clusters[0].status.as_deref(), Some("ACTIVE"));
    engine.abort();
}

const NETWORK: &str = r#"
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.7.0.0/16, EnableDnsHostnames: true}}
  Gateway: {Type: AWS::EC2::InternetGateway}
  Attachment:
    Type: AWS::EC2::VPCGatewayAttachment
    Properties: {VpcId: !Ref Vpc, InternetGatewayId: !Ref Gateway}
  Subnet:
    Type: AWS::EC2::Subnet
    Properties:
      VpcId: !Ref Vpc
      CidrBlock: !Select [1, !Cidr [!GetAtt Vpc.CidrBlock, 4, 8]]
      AvailabilityZone: !Select [1, !GetAZs '']
      MapPublicIpOnLaunch: true
  Table: {Type: AWS::EC2::RouteTable, Properties: {VpcId: !Ref Vpc}}
  Out:
    Type: AWS::EC2::Route
    DependsOn: Attachment
    Properties: {RouteTableId: !Ref Table, DestinationCidrBlock: 0.0.0.0/0, GatewayId: !Ref Gateway}
  Association:
    Type: AWS::EC2::SubnetRouteTableAssociation
    Properties: {RouteTableId: !Ref Table, SubnetId: !Ref Subnet}
  Wall: {Type: AWS::EC2::SecurityGroup, Properties: {GroupDescription: wall, VpcId: !Ref Vpc}}
  Own:
    Type: AWS::EC2::SecurityGroupIngress
    Properties: {GroupId: !Ref Wall, IpProtocol: '-1', SourceSecurityGroupId: !Ref Wall}
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Principal: {Service: [ec2.amazonaws.com]}, Action: ['sts:AssumeRole']}]
  Policy:
    Type: AWS::IAM::Policy
    Properties:
      PolicyName: poll
      Roles: [!Ref Role]
      PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: 'ecs:Poll', Resource: '*'}]}
Outputs:
  Zone: {Value: !GetAtt Subnet.AvailabilityZone}
"#;

#[tokio::test]
async fn a_network_is_made_and_taken_down() {
    let bench = Bench::new();
    regions(&bench);
    let engine = tokio::spawn(run(Arc::clone(&bench.cloud)));
    let ctx = bench.ctx();
    let vpcs = || Ec2Service.describe_vpcs(&ctx, Default::default()).unwrap().vpcs.len();
    let before = vpcs();
    CloudFormationService.create_stack(&ctx, input(NETWORK)).unwrap();
    settled(&bench, "CREATE_COMPLETE").await;
    assert_eq!(vpcs(), before + 1);
    let stack = bench.cloud.store.list::<Stack>(REGION).remove(0);
    assert_eq!(stack.outputs[0].value, "us-east-1b");
    CloudFormationService
        .delete_stack(&ctx, DeleteStackInput { stack_name: Some("base".into()), ..Default::default() })
        .unwrap();
    settled(&bench, "DELETE_COMPLETE").await;
    assert_eq!(vpcs(), before);
    engine.abort();
}

#[test]
fn the_projects_own_example_is_supported() {
    let bench = Bench::new();
    regions(&bench);
    let template = include_str!("../../../../examples/ecs-cluster/template.yml");
    let ask = aws_wire::cloudformation::ValidateTemplateInput {
        template_body: Some(template.into()),
        template_url: None,
    };
    let answer = CloudFormationService.validate_template(&bench.ctx(), ask).unwrap();
    assert_eq!(answer.capabilities, ["CAPABILITY_IAM"]);
}

const LOGS: &str = r#"
Parameters:
  Days: {Type: Number, Default: 7}
  Name: {Type: String, Default: /web/app}
Resources:
  Group:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: !Ref Name, RetentionInDays: !Ref Days, Tags: [{Key: Team, Value: !Ref Days}]}
  Kept: {Type: AWS::Logs::LogGroup, DeletionPolicy: Retain}
  Stream: {Type: AWS::Logs::LogStream, Properties: {LogGroupName: !Ref Group}}
Outputs:
  Arn: {Value: !GetAtt Group.Arn}
  Stream: {Value: !Ref Stream}
"#;

#[tokio::test]
async fn log_groups_are_made_changed_replaced_and_kept() {
    let bench = Bench::new();
    regions(&bench);
    let engine = tokio::spawn(run(Arc::clone(&bench.cloud)));
    let ctx = bench.ctx();
    CloudFormationService.create_stack(&ctx, input(LOGS)).unwrap();
    settled(&bench, "CREATE_COMPLETE").await;
    let groups = || -> Vec<(String, Option<i32>, Option<String>)> {
        let records = bench.cloud.store.list::<GroupRecord>(REGION);
        let row = |group: &Arc<GroupRecord>| {
            (group.id.clone(), group.retention_days, group.tags.get("Team").map(str::to_owned))
        };
        records.iter().map(row).collect()
    };
    let seven = ("/web/app".to_owned(), Some(7), Some("7".to_owned()));
    assert_eq!(groups()[0], seven);
    let kept = groups()[1].0.clone();
    assert!(kept.starts_with("base-Kept-"), "{kept}");
    let outputs = bench.cloud.store.list::<Stack>(REGION)[0].outputs.clone();
    let told = format!("{outputs:?}");
    assert!(told.contains(&format!("arn:aws:logs:{REGION}:123456789012:log-group:/web/app:*")), "{told}");
    assert!(told.contains("base-Stream-"), "{told}");

    let update = |days: &str, name: &str| UpdateStackInput {
        stack_name: Some("base".into()),
        use_previous_template: Some(true),
        parameters: [("Days", days), ("Name", name)]
            .map(|(key, value)| Parameter {
                parameter_key: Some(key.into()),
                parameter_value: Some(value.into()),
                ..Default::default()
            })
            .to_vec(),
        ..Default::default()
    };
    CloudFormationService.update_stack(&ctx, update("30", "/web/app")).unwrap();
    settled(&bench, "UPDATE_COMPLETE").await;
    assert_eq!(groups()[0], ("/web/app".to_owned(), Some(30), Some("30".to_owned())));
    CloudFormationService.update_stack(&ctx, update("30", "/web/two")).unwrap();
    settled(&bench, "UPDATE_COMPLETE").await;
    assert_eq!(groups()[0].0, "/web/two", "another name is another group");
    let refused = CloudFormationService.update_stack(&ctx, update("2", "/web/two")).unwrap_err();
    assert!(refused.message.contains("2 is not a retention"), "{refused}");

    let delete = DeleteStackInput { stack_name: Some("base".into()), ..Default::default() };
    CloudFormationService.delete_stack(&ctx, delete).unwrap();
    bench.until("the stack is gone", |cloud| status(cloud) == "DELETE_COMPLETE").await;
    assert_eq!(groups(), [(kept, None, None)]);
    engine.abort();
}
