//! EC2's records. Pure: what they are and what follows from them, nothing of how they come about.

mod instance;
mod network;
mod storage;
mod template;

pub use instance::{
    InstanceRecord, InstanceState, MetadataOptions, ProfileAssociation, ShutdownBehavior, StateReason,
    private_dns_name,
};
pub use network::{
    Attachment, DhcpOptionsRecord, InternetGatewayRecord, NetworkInterfaceRecord, Peer, Protocol,
    RegionRecord, Route, RouteAssociation, RouteTableRecord, RouteTarget, Rule, SecurityGroupRecord,
    SubnetRecord, VpcRecord,
};
pub use storage::{
    AttachmentState, KeyPairRecord, VolumeAttachment, VolumeModification, VolumeRecord, VolumeShape,
    VolumeSource, VolumeState,
};
pub use template::{LaunchTemplateRecord, LaunchTemplateVersionRecord};

/// Implements [`crate::store::Record`] for a type with the fields `region` and `id`.
macro_rules! record {
    ($type:ty, $kind:literal) => {
        impl crate::store::Record for $type {
            const KIND: &'static str = $kind;
            fn region(&self) -> &str {
                &self.region
            }
            fn id(&self) -> &str {
                &self.id
            }
        }
    };
}
pub(crate) use record;
