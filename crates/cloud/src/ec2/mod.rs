//! EC2: instances, images, volumes, key pairs, launch templates and the VPC.

pub mod state;

use crate::store::Kinds;

/// Makes the store able to load EC2's records.
pub fn kinds(kinds: &mut Kinds) {
    kinds
        .add::<state::RegionRecord>()
        .add::<state::VpcRecord>()
        .add::<state::SubnetRecord>()
        .add::<state::InternetGatewayRecord>()
        .add::<state::RouteTableRecord>()
        .add::<state::SecurityGroupRecord>()
        .add::<state::NetworkInterfaceRecord>()
        .add::<state::AddressRecord>()
        .add::<state::DhcpOptionsRecord>()
        .add::<state::InstanceRecord>()
        .add::<state::VolumeRecord>()
        .add::<state::ImageRecord>()
        .add::<state::KeyPairRecord>();
}
