use super::*;
use crate::ec2::adopt::{AdoptError, adopt};
use crate::ec2::{Ec2Service, state};
use crate::testing::REGION;

fn items(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

#[test]
fn twins_are_made_once_and_can_be_launched_into() {
    let bench = Bench::new();
    let all =
        items("subnet-a5d3ecee vpc-f8233a80 subnet-324e246f ami-ec957491=base key-pair/admin sg-0123abcd");
    let lines = adopt(&bench.cloud, REGION, &all).unwrap();
    assert_eq!(lines.len(), 6, "{lines:#?}");
    assert!(lines[0].starts_with("subnet-a5d3ecee in vpc-f8233a80, us-east-1a"), "{}", lines[0]);
    assert!(lines[2].starts_with("subnet-324e246f in vpc-f8233a80, us-east-1b"), "{}", lines[2]);
    let key_file = bench.dir.path().join("keys/admin.pem");
    let key = std::fs::read(&key_file).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&key_file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(adopt(&bench.cloud, REGION, &all).unwrap(), lines, "adopting again changes nothing");
    assert_eq!(std::fs::read(&key_file).unwrap(), key);
    let request = RunInstancesRequest {
        image_id: Some("ami-ec957491".into()),
        subnet_id: Some("subnet-324e246f".into()),
        key_name: Some("admin".into()),
        ..launch(1)
    };
    let instance = Ec2Service.run_instances(&bench.ctx(), request).unwrap().instances.remove(0);
    assert_eq!(instance.vpc_id.as_deref(), Some("vpc-f8233a80"));
    assert!(instance.public_ip_address.is_some());
}

#[test]
fn subnets_without_a_vpc_are_of_the_default_one() {
    let bench = Bench::new();
    adopt(&bench.cloud, REGION, &items("subnet-a5d3ecee")).unwrap();
    let subnet = bench.cloud.store.get::<state::SubnetRecord>(REGION, "subnet-a5d3ecee").unwrap();
    assert_eq!(subnet.cidr.to_string(), "172.31.48.0/20", "after the default subnets");
    assert!(!subnet.default_for_az);
}

#[test]
fn what_cannot_be_adopted_leaves_nothing() {
    let bench = Bench::new();
    let error = adopt(&bench.cloud, REGION, &items("vpc-11111111 vpc-22222222 subnet-a5d3ecee")).unwrap_err();
    assert!(matches!(error, AdoptError::ManyVpcs(_)), "{error}");
    assert!(bench.cloud.store.get::<state::VpcRecord>(REGION, "vpc-11111111").is_none());
    let error = adopt(&bench.cloud, REGION, &items("vpc-11111111 ami-ec957491")).unwrap_err();
    assert!(error.to_string().contains("ami-ec957491=IMAGE"), "{error}");
    assert!(bench.cloud.store.get::<state::VpcRecord>(REGION, "vpc-11111111").is_none());
    let error = adopt(&bench.cloud, REGION, &items("ami-ec957491=nobody")).unwrap_err();
    assert!(error.to_string().contains("nobody"), "{error}");
}
