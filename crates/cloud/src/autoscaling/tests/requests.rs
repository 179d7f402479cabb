//! What requests may ask for, and how they are refused.

use aws_wire::ec2::ImportKeyPairRequest;

use super::*;

#[test]
fn launch_configurations_are_checked() {
    let fleet = Fleet::new();
    let refused = |change: &dyn Fn(&mut CreateLaunchConfigurationType)| {
        let mut input = configuration("other");
        change(&mut input);
        message(AutoScalingService.create_launch_configuration(&fleet.ctx(), input))
    };
    for (refusal, expected) in [
        (
            refused(&|input| input.key_name = Some("admin".into())),
            "ValidationError: The key pair 'admin' does not exist",
        ),
        (
            refused(&|input| input.image_id = Some("ami-0".into())),
            "ValidationError: AMI ami-0 is invalid: The image id '[ami-0]' does not exist",
        ),
        (
            refused(&|input| input.security_groups = vec!["sg-0".into()]),
            "ValidationError: The security group 'sg-0' does not exist",
        ),
        (
            refused(&|input| input.iam_instance_profile = Some("p".into())),
            "ValidationError: Invalid IamInstanceProfile: p",
        ),
        (
            refused(&|input| input.spot_price = Some("0.1".into())),
            "ValidationError: CreateLaunchConfiguration with SpotPrice is not supported by this cloud",
        ),
        (
            refused(&|input| input.user_data = Some("#!/bin/sh".into())),
            "ValidationError: Invalid BASE64 encoding of user data.",
        ),
        (
            refused(&|input| input.launch_configuration_name = Some("lc".into())),
            "AlreadyExists: Launch Configuration by this name already exists - A launch configuration already exists \
             with the name lc",
        ),
    ] {
        assert_eq!(refusal, expected);
    }
    assert_eq!(refused(&|input| input.security_groups = vec!["default".into()]), "");
}

#[test]
fn a_configuration_is_described_and_deleted_when_no_group_has_it() {
    let fleet = Fleet::new();
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBvEhD7SK4B6Ct7J9Hr8QIjZ3wHKqYUDLwQ8qVZ1GqvX";
    let import = ImportKeyPairRequest {
        key_name: Some("admin".into()),
        public_key_material: Some(aws_wire::Blob(key.as_bytes().to_vec())),
        ..Default::default()
    };
    Ec2Service.import_key_pair(&fleet.ctx(), import).unwrap();
    let input = CreateLaunchConfigurationType {
        key_name: Some("admin".into()),
        user_data: Some("IyEvYmluL3No".into()),
        ..configuration("full")
    };
    AutoScalingService.create_launch_configuration(&fleet.ctx(), input).unwrap();
    let ask = LaunchConfigurationNamesType {
        launch_configuration_names: vec!["full".into()],
        ..Default::default()
    };
    let answer = AutoScalingService.describe_launch_configurations(&fleet.ctx(), ask).unwrap();
    let full = &answer.launch_configurations[0];
    assert_eq!(full.user_data.as_deref(), Some("IyEvYmluL3No"));
    let arn = full.launch_configuration_arn.as_deref().unwrap();
    assert!(arn.starts_with("arn:aws:autoscaling:us-east-1:123456789012:launchConfiguration:"), "{arn}");

    fleet.create(0);
    let delete = |name: &str| {
        let input = LaunchConfigurationNameType { launch_configuration_name: Some(name.into()) };
        message(AutoScalingService.delete_launch_configuration(&fleet.ctx(), input))
    };
    assert_eq!(
        delete("lc"),
        "ResourceInUse: Cannot delete launch configuration lc because it is attached to AutoScalingGroup g"
    );
    assert_eq!(delete("full"), "");
    assert_eq!(
        delete("full"),
        "ValidationError: Launch configuration name not found - Launch configuration full not found"
    );
}

#[test]
fn groups_are_checked() {
    let fleet = Fleet::new();
    let refused = |change: &dyn Fn(&mut CreateAutoScalingGroupType)| {
        let mut input = fleet.group(1);
        change(&mut input);
        message(AutoScalingService.create_auto_scaling_group(&fleet.ctx(), input))
    };
    for (refusal, expected) in [
        (
            refused(&|input| input.max_size = Some(-1)),
            "ValidationError: MaxSize must not be negative, and is -1",
        ),
        (
            refused(&|input| input.min_size = Some(11)),
            "ValidationError: Max bound, 10, must be greater than or equal to min bound, 11",
        ),
        (
            refused(&|input| input.desired_capacity = Some(11)),
            "ValidationError: Desired capacity:11 must be between the specified min size:0 and max size:10",
        ),
        (
            refused(&|input| input.launch_configuration_name = Some("none".into())),
            "ValidationError: Launch configuration name not found - Launch configuration none not found",
        ),
        (
            refused(&|input| input.vpc_zone_identifier = Some("subnet-0".into())),
            "ValidationError: The subnet ID 'subnet-0' does not exist",
        ),
        (
            refused(&|input| input.vpc_zone_identifier = None),
            "ValidationError: At least one Availability Zone or VPC Subnet is required.",
        ),
        (
            refused(&|input| input.availability_zones = vec!["us-east-1a".into()]),
            "ValidationError: The availability zones of the specified subnets and the AutoScalingGroup do not match",
        ),
        (
            refused(&|input| input.load_balancer_names = vec!["lb".into()]),
            "ValidationError: CreateAutoScalingGroup with LoadBalancerNames is not supported by this cloud",
        ),
        (
            refused(&|input| input.health_check_type = Some("ELB".into())),
            "ValidationError: HealthCheckType ELB is not supported by this cloud",
        ),
    ] {
        assert_eq!(refusal, expected);
    }
    let without_source = refused(&|input| input.launch_configuration_name = None);
    assert!(without_source.starts_with("ValidationError: Valid requests must contain either LaunchTemplate"));
    fleet.create(0);
    assert_eq!(
        refused(&|_| {}),
        "AlreadyExists: AutoScalingGroup by this name already exists - A group with the name g already exists"
    );
    let set = SetDesiredCapacityType {
        auto_scaling_group_name: Some("g".into()),
        desired_capacity: Some(11),
        honor_cooldown: None,
    };
    assert_eq!(
        message(AutoScalingService.set_desired_capacity(&fleet.ctx(), set)),
        "ValidationError: New SetDesiredCapacity value 11 is above max value 10 for the AutoScalingGroup."
    );
}

#[test]
fn a_group_in_zones_uses_their_default_subnets() {
    let fleet = Fleet::new();
    let input = CreateAutoScalingGroupType {
        vpc_zone_identifier: None,
        availability_zones: vec!["us-east-1b".into()],
        ..fleet.group(0)
    };
    AutoScalingService.create_auto_scaling_group(&fleet.ctx(), input).unwrap();
    let group = fleet.describe();
    assert_eq!(group.availability_zones, ["us-east-1b"]);
    assert_eq!(group.availability_zone_ids, ["use1-az2"]);
    let input = UpdateAutoScalingGroupType {
        auto_scaling_group_name: Some("g".into()),
        availability_zone_ids: vec!["use1-az1".into()],
        ..Default::default()
    };
    AutoScalingService.update_auto_scaling_group(&fleet.ctx(), input).unwrap();
    assert_eq!(fleet.describe().availability_zones, ["us-east-1a"]);
    assert_eq!(group.vpc_zone_identifier.as_deref(), Some(""));
    let stored = fleet.bench.cloud.store.get::<GroupRecord>(REGION, "g").unwrap();
    assert_eq!(stored.placements[0].subnet, fleet.subnets(2)[0]);
}

#[test]
fn tags_are_set_found_and_removed() {
    let fleet = Fleet::new();
    fleet.create(0);
    let tag = |key: &str, value: Option<&str>| Tag {
        resource_id: Some("g".into()),
        resource_type: Some("auto-scaling-group".into()),
        key: Some(key.into()),
        value: value.map(str::to_owned),
        propagate_at_launch: Some(key == "Name"),
    };
    let ctx = fleet.ctx();
    let tags = vec![tag("Name", Some("x")), tag("Env", Some("dev"))];
    AutoScalingService.create_or_update_tags(&ctx, CreateOrUpdateTagsType { tags }).unwrap();
    let find = |name: &str, value: &str| {
        let filters = vec![Filter { name: Some(name.into()), values: vec![value.into()] }];
        let input = DescribeTagsType { filters, ..Default::default() };
        let found = AutoScalingService.describe_tags(&ctx, input)?.tags;
        Ok::<_, Error>(found.into_iter().map(|tag| tag.key.unwrap()).collect::<Vec<_>>())
    };
    assert_eq!(find("propagate-at-launch", "true").unwrap(), ["Name"]);
    assert_eq!(find("auto-scaling-group", "g").unwrap(), ["Env", "Name"]);
    assert!(find("colour", "red").is_err());
    let by_tag = AutoScalingGroupNamesType {
        filters: vec![Filter { name: Some("tag:Env".into()), values: vec!["dev".into()] }],
        ..Default::default()
    };
    let found = AutoScalingService.describe_auto_scaling_groups(&ctx, by_tag).unwrap();
    assert_eq!(found.auto_scaling_groups.len(), 1);
    let tags = vec![tag("Env", Some("live")), tag("Name", None)];
    AutoScalingService.delete_tags(&ctx, DeleteTagsType { tags }).unwrap();
    assert_eq!(find("auto-scaling-group", "g").unwrap(), ["Env"], "one with another value stays");
    let elsewhere = Tag { resource_id: Some("h".into()), ..tag("a", Some("b")) };
    let input = CreateOrUpdateTagsType { tags: vec![elsewhere] };
    let refusal = message(AutoScalingService.create_or_update_tags(&ctx, input));
    assert!(refusal.contains("AutoScalingGroup name not found"), "{refusal}");
}

#[test]
fn groups_are_paged() {
    let fleet = Fleet::new();
    for name in ["a", "b", "c"] {
        let input =
            CreateAutoScalingGroupType { auto_scaling_group_name: Some(name.into()), ..fleet.group(0) };
        AutoScalingService.create_auto_scaling_group(&fleet.ctx(), input).unwrap();
    }
    let ask = |max, token: Option<String>| {
        let input =
            AutoScalingGroupNamesType { max_records: Some(max), next_token: token, ..Default::default() };
        AutoScalingService.describe_auto_scaling_groups(&fleet.ctx(), input)
    };
    let first = ask(2, None).unwrap();
    assert_eq!(first.auto_scaling_groups.len(), 2);
    let second = ask(2, first.next_token).unwrap();
    assert_eq!(second.auto_scaling_groups[0].auto_scaling_group_name.as_deref(), Some("c"));
    assert_eq!(second.next_token, None);
    assert!(message(ask(2, Some("?".into()))).starts_with("InvalidNextToken: "));
    assert!(message(ask(101, None)).contains("less than or equal to 100"));
}
