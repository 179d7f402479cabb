use super::*;
use crate::ec2::Ec2Service;
use crate::testing::REGION;

#[test]
fn a_region_begins_with_a_default_vpc() {
    let bench = Bench::new();
    let ctx = bench.ctx();
    let vpcs = Ec2Service.describe_vpcs(&ctx, Default::default()).unwrap().vpcs;
    assert_eq!(vpcs.len(), 1);
    assert_eq!((vpcs[0].is_default, vpcs[0].cidr_block.as_deref()), (Some(true), Some("172.31.0.0/16")));
    let subnets = Ec2Service.describe_subnets(&ctx, Default::default()).unwrap().subnets;
    let mut zones: Vec<_> = subnets.iter().filter_map(|subnet| subnet.availability_zone.as_deref()).collect();
    zones.sort_unstable();
    assert_eq!(zones, ["us-east-1a", "us-east-1b", "us-east-1c"]);
    assert!(subnets.iter().all(|subnet| subnet.available_ip_address_count == Some(4091)));
    let tables = Ec2Service.describe_route_tables(&ctx, Default::default()).unwrap().route_tables;
    let routes: Vec<_> =
        tables[0].routes.iter().filter_map(|r| r.destination_cidr_block.as_deref()).collect();
    assert_eq!(routes, ["172.31.0.0/16", "0.0.0.0/0"]);
    assert!(tables[0].routes.iter().all(|route| route.state.as_deref() == Some("active")));
    let groups = Ec2Service.describe_security_groups(&ctx, Default::default()).unwrap().security_groups;
    assert_eq!(groups[0].group_name.as_deref(), Some("default"));
    assert_eq!(groups[0].ip_permissions[0].user_id_group_pairs[0].group_id, groups[0].group_id);
}

#[test]
fn an_unknown_region_is_refused() {
    let bench = Bench::new();
    let mut ctx = bench.ctx();
    ctx.region = "mars-north-1".into();
    assert!(Ec2Service.describe_vpcs(&ctx, Default::default()).unwrap_err().message.contains("mars-north-1"));
}

/// Makes a VPC with a subnet and gives their ids.
fn vpc_and_subnet(bench: &Bench) -> (String, String) {
    let ctx = bench.ctx();
    let input = CreateVpcRequest { cidr_block: Some("10.0.0.0/16".into()), ..Default::default() };
    let vpc_id = Ec2Service.create_vpc(&ctx, input).unwrap().vpc.unwrap().vpc_id.unwrap();
    let input = CreateSubnetRequest {
        vpc_id: Some(vpc_id.clone()),
        cidr_block: Some("10.0.1.0/24".into()),
        availability_zone: Some("us-east-1b".into()),
        ..Default::default()
    };
    let subnet = Ec2Service.create_subnet(&ctx, input).unwrap().subnet.unwrap();
    (vpc_id, subnet.subnet_id.unwrap())
}

#[test]
fn a_vpc_is_built_and_taken_down_in_order() {
    let bench = Bench::new();
    let ctx = bench.ctx();
    let (vpc_id, subnet_id) = vpc_and_subnet(&bench);
    let gateway = Ec2Service.create_internet_gateway(&ctx, Default::default()).unwrap();
    let gateway_id = gateway.internet_gateway.unwrap().internet_gateway_id;
    let attach = AttachInternetGatewayRequest {
        internet_gateway_id: gateway_id.clone(),
        vpc_id: Some(vpc_id.clone()),
        ..Default::default()
    };
    let table = CreateRouteTableRequest { vpc_id: Some(vpc_id.clone()), ..Default::default() };
    let table_id = Ec2Service.create_route_table(&ctx, table).unwrap().route_table.unwrap().route_table_id;
    let route = CreateRouteRequest {
        route_table_id: table_id.clone(),
        destination_cidr_block: Some("0.0.0.0/0".into()),
        gateway_id: gateway_id.clone(),
        ..Default::default()
    };
    let error = Ec2Service.create_route(&ctx, route.clone()).unwrap_err();
    assert!(error.message.contains("belong to different networks"), "{error}");
    Ec2Service.attach_internet_gateway(&ctx, attach.clone()).unwrap();
    let error = Ec2Service.attach_internet_gateway(&ctx, attach).unwrap_err();
    assert_eq!(error.code, "Resource.AlreadyAssociated");
    Ec2Service.create_route(&ctx, route.clone()).unwrap();
    let other = CreateRouteRequest { gateway_id: Some("local".into()), ..route };
    assert_eq!(Ec2Service.create_route(&ctx, other).unwrap_err().code, "RouteAlreadyExists");
    let associate = AssociateRouteTableRequest {
        route_table_id: table_id.clone(),
        subnet_id: Some(subnet_id.clone()),
        ..Default::default()
    };
    let association = Ec2Service.associate_route_table(&ctx, associate).unwrap().association_id;

    let delete_vpc = DeleteVpcRequest { vpc_id: Some(vpc_id.clone()), ..Default::default() };
    let delete_table = DeleteRouteTableRequest { route_table_id: table_id, ..Default::default() };
    let delete_gateway =
        DeleteInternetGatewayRequest { internet_gateway_id: gateway_id.clone(), ..Default::default() };
    assert_eq!(Ec2Service.delete_vpc(&ctx, delete_vpc.clone()).unwrap_err().code, "DependencyViolation");
    assert_eq!(
        Ec2Service.delete_route_table(&ctx, delete_table.clone()).unwrap_err().code,
        "DependencyViolation"
    );
    let error = Ec2Service.delete_internet_gateway(&ctx, delete_gateway.clone()).unwrap_err();
    assert_eq!(error.code, "DependencyViolation");

    let disassociate = DisassociateRouteTableRequest { association_id: association, ..Default::default() };
    Ec2Service.disassociate_route_table(&ctx, disassociate).unwrap();
    Ec2Service.delete_route_table(&ctx, delete_table).unwrap();
    let detach = DetachInternetGatewayRequest {
        internet_gateway_id: gateway_id,
        vpc_id: Some(vpc_id),
        ..Default::default()
    };
    Ec2Service.detach_internet_gateway(&ctx, detach).unwrap();
    Ec2Service.delete_internet_gateway(&ctx, delete_gateway).unwrap();
    let delete_subnet = DeleteSubnetRequest { subnet_id: Some(subnet_id), ..Default::default() };
    Ec2Service.delete_subnet(&ctx, delete_subnet).unwrap();
    Ec2Service.delete_vpc(&ctx, delete_vpc).unwrap();
    assert_eq!(Ec2Service.describe_vpcs(&ctx, Default::default()).unwrap().vpcs.len(), 1);
}

#[test]
fn subnets_may_not_overlap_or_leave_their_vpc() {
    let bench = Bench::new();
    let (vpc_id, _) = vpc_and_subnet(&bench);
    for (cidr, zone, code) in [
        ("10.0.1.128/25", None, "InvalidSubnet.Conflict"),
        ("10.1.0.0/24", None, "InvalidSubnet.Range"),
        ("10.0.2.0/29", None, "InvalidSubnet.Range"),
        ("10.0.2", None, "InvalidParameterValue"),
        ("10.0.2.0/24", Some("us-east-1z"), "InvalidParameterValue"),
    ] {
        let input = CreateSubnetRequest {
            vpc_id: Some(vpc_id.clone()),
            cidr_block: Some(cidr.into()),
            availability_zone: zone.map(str::to_owned),
            ..Default::default()
        };
        assert_eq!(Ec2Service.create_subnet(&bench.ctx(), input).unwrap_err().code, code, "{cidr}");
    }
}

fn tcp(port: i32, cidr: &str) -> IpPermission {
    IpPermission {
        ip_protocol: Some("tcp".into()),
        from_port: Some(port),
        to_port: Some(port),
        ip_ranges: vec![IpRange { cidr_ip: Some(cidr.into()), description: None }],
        ..Default::default()
    }
}

#[test]
fn rules_come_and_go_one_by_one() {
    let bench = Bench::new();
    let ctx = bench.ctx();
    let input = CreateSecurityGroupRequest {
        group_name: Some("web".into()),
        description: Some("web".into()),
        ..Default::default()
    };
    let group_id = Ec2Service.create_security_group(&ctx, input.clone()).unwrap().group_id;
    // As Packer says that it means the default VPC.
    let same = CreateSecurityGroupRequest { vpc_id: Some(String::new()), ..input };
    assert_eq!(Ec2Service.create_security_group(&ctx, same).unwrap_err().code, "InvalidGroup.Duplicate");
    let authorize = AuthorizeSecurityGroupIngressRequest {
        group_id: group_id.clone(),
        ip_permissions: vec![tcp(22, "0.0.0.0/0"), tcp(80, "10.0.0.0/8")],
        ..Default::default()
    };
    let rules =
        Ec2Service.authorize_security_group_ingress(&ctx, authorize.clone()).unwrap().security_group_rules;
    assert_eq!(rules.len(), 2);
    let error = Ec2Service.authorize_security_group_ingress(&ctx, authorize.clone()).unwrap_err();
    assert_eq!(error.code, "InvalidPermission.Duplicate");
    let revoke = RevokeSecurityGroupIngressRequest {
        group_id: group_id.clone(),
        security_group_rule_ids: vec![rules[0].security_group_rule_id.clone().unwrap()],
        ..Default::default()
    };
    Ec2Service.revoke_security_group_ingress(&ctx, revoke.clone()).unwrap();
    let error = Ec2Service.revoke_security_group_ingress(&ctx, revoke).unwrap_err();
    assert_eq!(error.code, "InvalidSecurityGroupRuleId.NotFound");
    let revoke = RevokeSecurityGroupEgressRequest {
        group_id: group_id.clone(),
        ip_permissions: vec![IpPermission {
            ip_protocol: Some("-1".into()),
            ip_ranges: vec![IpRange { cidr_ip: Some("0.0.0.0/0".into()), description: None }],
            ..Default::default()
        }],
        ..Default::default()
    };
    Ec2Service.revoke_security_group_egress(&ctx, revoke).unwrap();
    let input = DescribeSecurityGroupRulesRequest {
        filters: vec![filter("group-id", &[group_id.as_deref().unwrap()])],
        ..Default::default()
    };
    let left = Ec2Service.describe_security_group_rules(&ctx, input).unwrap().security_group_rules;
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0].from_port, Some(80));
}

#[test]
fn a_group_in_use_is_kept() {
    let bench = Bench::new();
    let ctx = bench.ctx();
    let make = |name: &str| {
        let input = CreateSecurityGroupRequest {
            group_name: Some(name.into()),
            description: Some(name.into()),
            ..Default::default()
        };
        Ec2Service.create_security_group(&ctx, input).unwrap().group_id.unwrap()
    };
    let (used, peer) = (make("used"), make("peer"));
    let authorize = AuthorizeSecurityGroupIngressRequest {
        group_id: Some(used.clone()),
        ip_permissions: vec![IpPermission {
            ip_protocol: Some("-1".into()),
            user_id_group_pairs: vec![UserIdGroupPair { group_id: Some(peer.clone()), ..Default::default() }],
            ..Default::default()
        }],
        ..Default::default()
    };
    Ec2Service.authorize_security_group_ingress(&ctx, authorize).unwrap();
    Ec2Service
        .run_instances(&ctx, RunInstancesRequest { security_group_ids: vec![used.clone()], ..launch(1) })
        .unwrap();
    for id in [used, peer] {
        let input = DeleteSecurityGroupRequest { group_id: Some(id), ..Default::default() };
        assert_eq!(Ec2Service.delete_security_group(&ctx, input).unwrap_err().code, "DependencyViolation");
    }
}

#[test]
fn pages_filters_and_dry_runs() {
    let bench = Bench::new();
    let ctx = bench.ctx();
    for n in 0..7 {
        let input = CreateVpcRequest {
            cidr_block: Some("10.0.0.0/16".into()),
            tag_specifications: vec![TagSpecification {
                resource_type: Some("vpc".into()),
                tags: vec![Tag { key: Some("N".into()), value: Some(format!("n{n}")) }],
            }],
            ..Default::default()
        };
        Ec2Service.create_vpc(&ctx, input).unwrap();
    }
    let mut seen = Vec::new();
    let mut token = None;
    loop {
        let input = DescribeVpcsRequest { max_results: Some(5), next_token: token, ..Default::default() };
        let page = Ec2Service.describe_vpcs(&ctx, input).unwrap();
        seen.extend(page.vpcs.into_iter().filter_map(|vpc| vpc.vpc_id));
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    seen.dedup();
    assert_eq!(seen.len(), 8);
    let input = DescribeVpcsRequest { filters: vec![filter("tag:N", &["n1", "n2*"])], ..Default::default() };
    assert_eq!(Ec2Service.describe_vpcs(&ctx, input).unwrap().vpcs.len(), 2);
    let input = DescribeVpcsRequest { filters: vec![filter("colour", &["red"])], ..Default::default() };
    assert_eq!(Ec2Service.describe_vpcs(&ctx, input).unwrap_err().message, "The filter 'colour' is invalid");
    let input = CreateVpcRequest {
        cidr_block: Some("10.0.0.0/16".into()),
        dry_run: Some(true),
        ..Default::default()
    };
    let error = Ec2Service.create_vpc(&ctx, input).unwrap_err();
    assert_eq!((error.code.as_str(), error.status), ("DryRunOperation", 412));
    let input =
        CreateVpcRequest { cidr_block: Some("10.0.0.0/8".into()), dry_run: Some(true), ..Default::default() };
    assert_eq!(Ec2Service.create_vpc(&ctx, input).unwrap_err().code, "InvalidVpc.Range");
    assert_eq!(
        bench.cloud.store.list::<crate::ec2::state::VpcRecord>(REGION).len(),
        8,
        "a dry run leaves nothing"
    );
}
