//! Questions to EC2 that several types ask before anything is made.

use aws_wire::Error;
use aws_wire::ec2::{
    DescribeImagesRequest, DescribeKeyPairsRequest, DescribeSecurityGroupsRequest, DescribeSubnetsRequest,
    DescribeVpcsRequest,
};

use super::api::Api;

/// Whether an image exists.
///
/// # Errors
/// EC2's own.
pub fn image(api: &Api, id: &str) -> Result<(), Error> {
    let input = DescribeImagesRequest { image_ids: vec![id.to_owned()], ..Default::default() };
    api.services.ec2.describe_images(&api.ctx, input).map(drop)
}

/// Whether a key pair exists.
///
/// # Errors
/// EC2's own.
pub fn key_pair(api: &Api, name: &str) -> Result<(), Error> {
    let input = DescribeKeyPairsRequest { key_names: vec![name.to_owned()], ..Default::default() };
    api.services.ec2.describe_key_pairs(&api.ctx, input).map(drop)
}

/// Whether a security group exists.
///
/// # Errors
/// EC2's own.
pub fn security_group(api: &Api, id: &str) -> Result<(), Error> {
    let input = DescribeSecurityGroupsRequest { group_ids: vec![id.to_owned()], ..Default::default() };
    api.services.ec2.describe_security_groups(&api.ctx, input).map(drop)
}

/// Whether a subnet exists.
///
/// # Errors
/// EC2's own.
pub fn subnet(api: &Api, id: &str) -> Result<(), Error> {
    let input = DescribeSubnetsRequest { subnet_ids: vec![id.to_owned()], ..Default::default() };
    api.services.ec2.describe_subnets(&api.ctx, input).map(drop)
}

/// Whether a VPC exists.
///
/// # Errors
/// EC2's own.
pub fn vpc(api: &Api, id: &str) -> Result<(), Error> {
    let input = DescribeVpcsRequest { vpc_ids: vec![id.to_owned()], ..Default::default() };
    api.services.ec2.describe_vpcs(&api.ctx, input).map(drop)
}
