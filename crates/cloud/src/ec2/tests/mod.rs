//! Operations against a store, and instances against simulated machines.

mod adoption;
mod images;
mod lifecycle;
mod networks;
mod operations;

use aws_wire::ec2::*;

use crate::testing::{Bench, IMAGE};

/// The parameters of a launch of so many instances.
fn launch(count: i32) -> RunInstancesRequest {
    RunInstancesRequest {
        image_id: Some(IMAGE.to_owned()),
        instance_type: Some("t2.micro".to_owned()),
        min_count: Some(count),
        max_count: Some(count),
        ..RunInstancesRequest::default()
    }
}

/// A filter.
fn filter(name: &str, values: &[&str]) -> Filter {
    Filter { name: Some(name.to_owned()), values: values.iter().map(|value| (*value).to_owned()).collect() }
}

/// The instance as it is described.
fn described(bench: &Bench, id: &str) -> Instance {
    use super::Ec2Service;
    let input = DescribeInstancesRequest { instance_ids: vec![id.to_owned()], ..Default::default() };
    let mut result = Ec2Service.describe_instances(&bench.ctx(), input).unwrap();
    result.reservations.remove(0).instances.remove(0)
}

/// The name of the instance's state.
fn state(bench: &Bench, id: &str) -> String {
    described(bench, id).state.unwrap().name.unwrap()
}
