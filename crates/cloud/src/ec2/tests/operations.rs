use super::*;
use crate::ec2::Ec2Service;

#[test]
fn a_launch_is_checked_before_anything_is_made() {
    let bench = Bench::new();
    let ctx = bench.ctx();
    let with = |change: fn(&mut RunInstancesRequest)| {
        let mut request = launch(1);
        change(&mut request);
        request
    };
    for (request, code, part) in [
        (with(|r| r.image_id = Some("ami-ffffffff".into())), "InvalidAMIID.NotFound", "'[ami-ffffffff]'"),
        (with(|r| r.image_id = Some("base".into())), "InvalidAMIID.Malformed", "base"),
        (with(|r| r.image_id = None), "MissingParameter", "ImageId"),
        (with(|r| r.instance_type = Some("t2.mega".into())), "InvalidParameterValue", "t2.mega"),
        (with(|r| r.instance_type = Some("t4g.micro".into())), "InvalidParameterValue", "arm64"),
        (
            with(|r| r.key_name = Some("admin".into())),
            "InvalidKeyPair.NotFound",
            "The key pair 'admin' does not exist",
        ),
        (with(|r| r.subnet_id = Some("subnet-1".into())), "InvalidSubnetID.NotFound", "subnet-1"),
        (with(|r| r.security_group_ids = vec!["sg-1".into()]), "InvalidGroup.NotFound", "sg-1"),
        (with(|r| r.min_count = Some(0)), "InvalidParameterValue", "minCount"),
        (with(|r| r.min_count = Some(2)), "InvalidParameterCombination", "maxCount"),
        (with(|r| r.user_data = Some("#!".into())), "InvalidParameterValue", "BASE64"),
        (with(|r| r.kernel_id = Some("aki-1".into())), "UnsupportedOperation", "KernelId"),
        (
            with(|r| {
                r.iam_instance_profile =
                    Some(IamInstanceProfileSpecification { name: Some("nobody".into()), arn: None });
            }),
            "InvalidParameterValue",
            "Invalid IAM Instance Profile name",
        ),
    ] {
        let error = Ec2Service.run_instances(&ctx, request).unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert!(error.message.contains(part), "{error}");
    }
    let result = Ec2Service.describe_instances(&ctx, Default::default()).unwrap();
    assert!(result.reservations.is_empty());
}

#[test]
fn a_token_used_again_launches_nothing_new() {
    let bench = Bench::new();
    let ctx = bench.ctx();
    let request = RunInstancesRequest { client_token: Some("once".into()), ..launch(2) };
    let first = Ec2Service.run_instances(&ctx, request.clone()).unwrap();
    let again = Ec2Service.run_instances(&ctx, request.clone()).unwrap();
    assert_eq!(first, again);
    let other = RunInstancesRequest { instance_type: Some("t2.small".into()), ..request };
    assert_eq!(Ec2Service.run_instances(&ctx, other).unwrap_err().code, "IdempotentParameterMismatch");
}

#[test]
fn what_is_launched_is_described_and_found() {
    let bench = Bench::new();
    let ctx = bench.ctx();
    let request = RunInstancesRequest {
        tag_specifications: vec![TagSpecification {
            resource_type: Some("instance".into()),
            tags: vec![Tag { key: Some("Name".into()), value: Some("web-1".into()) }],
        }],
        block_device_mappings: vec![BlockDeviceMapping {
            device_name: Some("/dev/xvda".into()),
            ebs: Some(EbsBlockDevice { volume_size: Some(9), ..Default::default() }),
            ..Default::default()
        }],
        ..launch(2)
    };
    let reservation = Ec2Service.run_instances(&ctx, request).unwrap();
    let addresses: std::collections::BTreeSet<_> =
        reservation.instances.iter().map(|i| i.private_ip_address.clone().unwrap()).collect();
    assert_eq!(addresses.len(), 2);
    let instance = described(&bench, reservation.instances[0].instance_id.as_deref().unwrap());
    assert!(instance.private_dns_name.unwrap().ends_with(".ec2.internal"));
    assert!(instance.public_ip_address.unwrap().starts_with("127."));
    assert_eq!(instance.security_groups[0].group_name.as_deref(), Some("default"));
    assert_eq!(instance.block_device_mappings.len(), 2);
    for (name, value, count) in [
        ("tag:Name", "web-*", 2),
        ("instance-state-name", "pending", 2),
        ("instance-state-name", "running", 0),
        ("availability-zone", "us-east-1a", 2),
        ("private-ip-address", addresses.first().unwrap(), 1),
        ("group-name", "default", 2),
        ("block-device-mapping.device-name", "/dev/xvdcz", 2),
    ] {
        let input = DescribeInstancesRequest { filters: vec![filter(name, &[value])], ..Default::default() };
        let found = Ec2Service.describe_instances(&ctx, input).unwrap();
        let found: usize = found.reservations.iter().map(|reservation| reservation.instances.len()).sum();
        assert_eq!(found, count, "{name} {value}");
    }
    let volumes = Ec2Service.describe_volumes(&ctx, Default::default()).unwrap().volumes;
    let mut sizes: Vec<_> = volumes.iter().filter_map(|volume| volume.size).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [9, 9, 22, 22]);
}

#[test]
fn key_pairs() {
    let bench = Bench::new();
    let ctx = bench.ctx();
    let create = CreateKeyPairRequest {
        key_name: Some("k".into()),
        key_type: Some("ed25519".into()),
        ..Default::default()
    };
    let made = Ec2Service.create_key_pair(&ctx, create.clone()).unwrap();
    assert!(made.key_material.unwrap().contains("PRIVATE KEY"));
    assert_eq!(Ec2Service.create_key_pair(&ctx, create).unwrap_err().code, "InvalidKeyPair.Duplicate");
    let import = ImportKeyPairRequest {
        key_name: Some("i".into()),
        public_key_material: Some(aws_wire::Blob(include_bytes!("../../../tests/keys/rsa.pub").to_vec())),
        ..Default::default()
    };
    let imported = Ec2Service.import_key_pair(&ctx, import).unwrap();
    assert_eq!(imported.key_fingerprint.unwrap(), include_str!("../../../tests/keys/rsa.fingerprint").trim());
    assert_eq!(Ec2Service.describe_key_pairs(&ctx, Default::default()).unwrap().key_pairs.len(), 2);
    let delete = DeleteKeyPairRequest { key_name: Some("k".into()), ..Default::default() };
    Ec2Service.delete_key_pair(&ctx, delete.clone()).unwrap();
    Ec2Service.delete_key_pair(&ctx, delete).unwrap();
    let input = DescribeKeyPairsRequest { key_names: vec!["k".into()], ..Default::default() };
    let error = Ec2Service.describe_key_pairs(&ctx, input).unwrap_err();
    assert_eq!(error.to_string(), "InvalidKeyPair.NotFound: The key pair 'k' does not exist");
}

#[test]
fn images_are_those_of_the_store() {
    let bench = Bench::new();
    let ctx = bench.ctx();
    for (owners, count) in [(vec!["amazon"], 1), (vec!["self"], 0), (vec!["self", "amazon"], 1), (vec![], 1)]
    {
        let owners: Vec<String> = owners.into_iter().map(str::to_owned).collect();
        let input = DescribeImagesRequest { owners: owners.clone(), ..Default::default() };
        assert_eq!(Ec2Service.describe_images(&ctx, input).unwrap().images.len(), count, "{owners:?}");
    }
    let input = DescribeImagesRequest { filters: vec![filter("name", &["ba?e"])], ..Default::default() };
    let images = Ec2Service.describe_images(&ctx, input).unwrap().images;
    assert_eq!(images[0].image_id.as_deref(), Some(IMAGE));
    assert_eq!(images[0].block_device_mappings.len(), 2);
    let input = DeregisterImageRequest { image_id: Some(IMAGE.into()), ..Default::default() };
    assert_eq!(Ec2Service.deregister_image(&ctx, input).unwrap_err().code, "AuthFailure");
}

#[test]
fn templates_have_versions_and_launch() {
    let bench = Bench::new();
    let ctx = bench.ctx();
    let create = CreateLaunchTemplateRequest {
        launch_template_name: Some("web".into()),
        launch_template_data: Some(RequestLaunchTemplateData {
            image_id: Some(IMAGE.into()),
            instance_type: Some("t2.micro".into()),
            ..Default::default()
        }),
        ..Default::default()
    };
    let template = Ec2Service.create_launch_template(&ctx, create).unwrap().launch_template.unwrap();
    let version = CreateLaunchTemplateVersionRequest {
        launch_template_id: template.launch_template_id.clone(),
        source_version: Some("1".into()),
        launch_template_data: Some(RequestLaunchTemplateData {
            instance_type: Some("t3.small".into()),
            ..Default::default()
        }),
        ..Default::default()
    };
    let made =
        Ec2Service.create_launch_template_version(&ctx, version).unwrap().launch_template_version.unwrap();
    assert_eq!(made.version_number, Some(2));
    assert_eq!(made.launch_template_data.unwrap().image_id.as_deref(), Some(IMAGE));
    let run = |version: Option<&str>| RunInstancesRequest {
        min_count: Some(1),
        max_count: Some(1),
        launch_template: Some(LaunchTemplateSpecification {
            launch_template_name: Some("web".into()),
            version: version.map(str::to_owned),
            ..Default::default()
        }),
        ..Default::default()
    };
    for (version, kind) in [(None, "t2.micro"), (Some("$Latest"), "t3.small"), (Some("1"), "t2.micro")] {
        let instance = Ec2Service.run_instances(&ctx, run(version)).unwrap().instances.remove(0);
        assert_eq!(instance.instance_type.as_deref(), Some(kind), "{version:?}");
        assert!(instance.tags.iter().any(|tag| tag.key.as_deref() == Some("aws:ec2launchtemplate:version")));
    }
    let error = Ec2Service.run_instances(&ctx, run(Some("9"))).unwrap_err();
    assert_eq!(error.code, "InvalidLaunchTemplateId.VersionNotFound");
    let delete = DeleteLaunchTemplateVersionsRequest {
        launch_template_name: Some("web".into()),
        versions: vec!["1".into(), "2".into()],
        ..Default::default()
    };
    let result = Ec2Service.delete_launch_template_versions(&ctx, delete).unwrap();
    assert_eq!(result.successfully_deleted_launch_template_versions.len(), 1);
    assert_eq!(result.unsuccessfully_deleted_launch_template_versions.len(), 1, "the default version stays");
}

#[test]
fn tags_on_anything() {
    let bench = Bench::new();
    let ctx = bench.ctx();
    let id = Ec2Service.run_instances(&ctx, launch(1)).unwrap().instances.remove(0).instance_id.unwrap();
    let subnet =
        Ec2Service.describe_subnets(&ctx, Default::default()).unwrap().subnets.remove(0).subnet_id.unwrap();
    let tag = |key: &str, value: &str| Tag { key: Some(key.into()), value: Some(value.into()) };
    let create = CreateTagsRequest {
        resources: vec![id.clone(), subnet.clone()],
        tags: vec![tag("Env", "dev")],
        ..Default::default()
    };
    Ec2Service.create_tags(&ctx, create.clone()).unwrap();
    let found = Ec2Service.describe_tags(&ctx, Default::default()).unwrap().tags;
    assert_eq!(found.len(), 2);
    let reserved = CreateTagsRequest { tags: vec![tag("aws:x", "y")], ..create.clone() };
    assert_eq!(Ec2Service.create_tags(&ctx, reserved).unwrap_err().code, "InvalidParameterValue");
    let unknown =
        CreateTagsRequest { resources: vec![id, "i-0".into()], tags: vec![tag("A", "b")], ..create };
    assert_eq!(Ec2Service.create_tags(&ctx, unknown).unwrap_err().code, "InvalidID");
    let delete = DeleteTagsRequest { resources: vec![subnet], ..Default::default() };
    Ec2Service.delete_tags(&ctx, delete).unwrap();
    let found = Ec2Service.describe_tags(&ctx, Default::default()).unwrap().tags;
    assert_eq!(found.len(), 1, "one was deleted, and none was added where one of the resources is unknown");
}

#[test]
fn what_cannot_be_asked_of_an_instance() {
    let bench = Bench::new();
    let ctx = bench.ctx();
    let request = RunInstancesRequest { disable_api_termination: Some(true), ..launch(1) };
    let id = Ec2Service.run_instances(&ctx, request).unwrap().instances.remove(0).instance_id.unwrap();
    let ids = vec![id.clone()];
    let stop = StopInstancesRequest { instance_ids: ids.clone(), ..Default::default() };
    assert_eq!(Ec2Service.stop_instances(&ctx, stop).unwrap_err().code, "IncorrectInstanceState");
    let terminate = TerminateInstancesRequest { instance_ids: ids, ..Default::default() };
    assert_eq!(
        Ec2Service.terminate_instances(&ctx, terminate.clone()).unwrap_err().code,
        "OperationNotPermitted"
    );
    let modify = ModifyInstanceAttributeRequest {
        instance_id: Some(id.clone()),
        disable_api_termination: Some(AttributeBooleanValue { value: Some(false) }),
        ..Default::default()
    };
    Ec2Service.modify_instance_attribute(&ctx, modify).unwrap();
    let modify = ModifyInstanceAttributeRequest {
        instance_id: Some(id),
        instance_type: Some(AttributeValue { value: Some("t2.small".into()) }),
        ..Default::default()
    };
    assert_eq!(
        Ec2Service.modify_instance_attribute(&ctx, modify).unwrap_err().code,
        "IncorrectInstanceState"
    );
    let terminated = Ec2Service.terminate_instances(&ctx, terminate).unwrap().terminating_instances;
    assert_eq!(terminated[0].current_state.as_ref().unwrap().name.as_deref(), Some("shutting-down"));
    let unknown =
        TerminateInstancesRequest { instance_ids: vec!["i-1".into(), "i-2".into()], ..Default::default() };
    let error = Ec2Service.terminate_instances(&ctx, unknown).unwrap_err();
    assert_eq!(error.to_string(), "InvalidInstanceID.NotFound: The instance IDs 'i-1, i-2' do not exist");
}
