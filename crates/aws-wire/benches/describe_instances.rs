//! How many `DescribeInstances` answers of 100 instances one core encodes, and requests it decodes and verifies.
//!
//! Reports, asserts nothing: `cargo bench -p aws-wire`.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark reports on stdout and may panic")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use aws_wire::ec2::{
    DescribeInstancesRequest, DescribeInstancesResult, EbsInstanceBlockDevice, GroupIdentifier, Instance,
    InstanceBlockDeviceMapping, InstanceNetworkInterface, InstanceState, Placement, Reservation, Tag,
};
use aws_wire::{ParsedRequest, decode_input, encode_output, parse};

const INSTANCES: usize = 100;
const DURATION: Duration = Duration::from_secs(2);

fn main() {
    let output = output();
    let request = request();
    let size = encode_output(&request, &output).body.len();
    report(&format!("encode DescribeInstances, {INSTANCES} instances, {} KiB", size / 1024), || {
        black_box(encode_output(&request, black_box(&output)));
    });
    report("parse and decode DescribeInstances", || {
        black_box(decode_input::<DescribeInstancesRequest>(&self::request()).unwrap());
    });
}

/// Prints how often `work` can be done in a second.
fn report(name: &str, mut work: impl FnMut()) {
    let start = Instant::now();
    let mut times = 0_u32;
    while start.elapsed() < DURATION {
        work();
        times += 1;
    }
    println!("{name}: {:.0} a second", f64::from(times) / start.elapsed().as_secs_f64());
}

fn request() -> ParsedRequest {
    let (parts, ()) = http::Request::builder()
        .method("POST")
        .uri("/")
        .header("host", "ec2.us-east-1.amazonaws.com")
        .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
        .body(())
        .unwrap()
        .into_parts();
    parse(
        &parts,
        b"Action=DescribeInstances&Version=2016-11-15&Filter.1.Name=tag%3AName&Filter.1.Value.1=web",
    )
    .unwrap()
}

fn output() -> DescribeInstancesResult {
    let reservations = (0..INSTANCES).map(|n| Reservation {
        reservation_id: text("r-0123456789abcdef0"),
        owner_id: text("123456789012"),
        instances: vec![instance(n)],
        ..Reservation::default()
    });
    DescribeInstancesResult { reservations: reservations.collect(), ..DescribeInstancesResult::default() }
}

/// An instance with the members that a running one has.
fn instance(n: usize) -> Instance {
    let groups =
        vec![GroupIdentifier { group_id: text("sg-0123456789abcdef0"), group_name: text("default") }];
    let now = Some("2026-02-03T04:05:06Z".parse().unwrap());
    Instance {
        instance_id: Some(format!("i-{n:017x}")),
        image_id: text("ami-0123456789abcdef0"),
        state: Some(InstanceState { code: Some(16), name: text("running") }),
        private_dns_name: text("ip-10-0-0-1.ec2.internal"),
        private_ip_address: text("10.0.0.1"),
        instance_type: text("t2.micro"),
        key_name: text("admin"),
        launch_time: now,
        placement: Some(Placement {
            availability_zone: text("us-east-1a"),
            tenancy: text("default"),
            ..Placement::default()
        }),
        subnet_id: text("subnet-0123456789abcdef0"),
        vpc_id: text("vpc-0123456789abcdef0"),
        architecture: text("x86_64"),
        root_device_name: text("/dev/xvda"),
        block_device_mappings: vec![InstanceBlockDeviceMapping {
            device_name: text("/dev/xvda"),
            ebs: Some(EbsInstanceBlockDevice {
                attach_time: now,
                delete_on_termination: Some(true),
                status: text("attached"),
                volume_id: text("vol-0123456789abcdef0"),
                ..EbsInstanceBlockDevice::default()
            }),
        }],
        network_interfaces: vec![InstanceNetworkInterface {
            network_interface_id: text("eni-0123456789abcdef0"),
            groups: groups.clone(),
            private_ip_address: text("10.0.0.1"),
            ..InstanceNetworkInterface::default()
        }],
        security_groups: groups,
        ebs_optimized: Some(false),
        tags: vec![Tag { key: text("Name"), value: text("web <1>") }],
        ..Instance::default()
    }
}

fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}
