//! What the steps of a build tell each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_ec2::types::{Image, Instance};
use packer_template::{BuildData, amazon_fields};

use super::polling::Polling;
use super::{BUILDER_ID, Error};
use crate::artifact::Artifact;
use crate::aws::Session;
use crate::communicator::Communicator;

/// The state of a build.
pub(super) struct State<'a> {
    /// The API.
    pub session: &'a Session,
    /// How waiting is done.
    pub polling: Polling,
    /// What the template's expressions may say; grows as the build goes.
    pub data: BuildData,
    /// The image that is launched: the source image, or a checkpoint of this build.
    pub launched: Option<Image>,
    /// Whether that is a checkpoint.
    pub resumed: bool,
    /// Where the instance is put.
    pub network: Network,
    /// The key pair.
    pub key: Key,
    /// The security groups of the instance.
    pub security_groups: Vec<String>,
    /// The name of the instance's profile.
    pub instance_profile: Option<String>,
    /// The instance.
    pub instance: Option<Instance>,
    /// The connection to it.
    pub communicator: Option<Arc<dyn Communicator>>,
    /// An image in the build's region that is only copied and then deregistered.
    pub intermediary: Option<Made>,
    /// The images that were made, by region.
    pub images: BTreeMap<String, Made>,
}

/// Where an instance is put; what is none is EC2's choice.
#[derive(Default)]
pub(super) struct Network {
    /// The VPC.
    pub vpc_id: Option<String>,
    /// The subnet.
    pub subnet_id: Option<String>,
    /// The availability zone.
    pub availability_zone: Option<String>,
}

/// The key that opens the instance.
#[derive(Default)]
pub(super) struct Key {
    /// The key pair's name in EC2.
    pub name: Option<String>,
    /// Whether it was made for this build.
    pub temporary: bool,
    /// The private half, when it was made for this build.
    pub private: Option<String>,
}

/// An image that was made.
#[derive(Clone)]
pub(super) struct Made {
    /// The image.
    pub ami: String,
    /// Its snapshots, once it is available.
    pub snapshots: Vec<String>,
}

impl<'a> State<'a> {
    pub fn new(session: &'a Session, polling: Polling, name: &str, run_uuid: &str) -> Self {
        let values = [
            ("PackerRunUUID", run_uuid),
            // The builder serves no files by HTTP; these are Packer's words for that.
            ("PackerHTTPAddr", "ERR_HTTP_ADDR_NOT_IMPLEMENTED_BY_BUILDER"),
            ("PackerHTTPIP", "ERR_HTTP_IP_NOT_IMPLEMENTED_BY_BUILDER"),
            ("PackerHTTPPort", "ERR_HTTP_PORT_NOT_IMPLEMENTED_BY_BUILDER"),
            ("Password", ""),
            ("SSHPublicKey", ""),
            ("WinRMPassword", ""),
        ];
        let data = BuildData {
            name: name.to_owned(),
            builder_type: "amazon-ebs".to_owned(),
            values: values.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            fields: amazon_fields(&session.region, "", "", "", "", "", BTreeMap::new()),
        };
        Self {
            session,
            polling,
            data,
            launched: None,
            resumed: false,
            network: Network::default(),
            key: Key::default(),
            security_groups: Vec::new(),
            instance_profile: None,
            instance: None,
            communicator: None,
            intermediary: None,
            images: BTreeMap::new(),
        }
    }

    /// The instance, for steps after the one that runs it.
    pub fn instance(&self) -> Result<&Instance, Error> {
        self.instance.as_ref().ok_or(Error::OutOfOrder("an instance"))
    }

    /// The instance's id, for steps after the one that runs it.
    pub fn instance_id(&self) -> Result<String, Error> {
        self.instance()?.instance_id.clone().ok_or(Error::OutOfOrder("an instance with an id"))
    }

    /// Lets the template's expressions speak of the source image.
    pub fn know_source(&mut self, image: &Image) {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let values = [
            ("BuildRegion", self.session.region.clone()),
            ("SourceAMI", text(&image.image_id)),
            ("SourceAMIName", text(&image.name)),
            ("SourceAMICreationDate", text(&image.creation_date)),
            ("SourceAMIOwner", text(&image.owner_id)),
            ("SourceAMIOwnerName", text(&image.image_owner_alias)),
        ];
        let tags = image.tags().iter().map(|tag| (text(&tag.key), text(&tag.value))).collect();
        let [region, id, name, created, owner, owner_name] = &values;
        self.data.fields =
            amazon_fields(&region.1, &id.1, &name.1, &created.1, &owner.1, &owner_name.1, tags);
        self.data.values.extend(values.into_iter().map(|(key, value)| (key.to_owned(), value)));
    }

    /// What the build leaves; none when it made no image.
    pub fn artifact(&self) -> Option<Artifact> {
        if self.images.is_empty() {
            return None;
        }
        let lines: Vec<String> =
            self.images.iter().map(|(region, made)| format!("{region}: {}", made.ami)).collect();
        let by_region = |value: fn(&Made) -> String| {
            self.images.iter().map(|(region, made)| (region.clone(), value(made))).collect()
        };
        let snapshots =
            self.images.iter().map(|(region, made)| (region.clone(), made.snapshots.clone())).collect();
        Some(Artifact {
            builder_id: BUILDER_ID.to_owned(),
            amis: by_region(|made| made.ami.clone()),
            snapshots,
            files: Vec::new(),
            description: format!("AMIs were created:\n{}\n", lines.join("\n")),
        })
    }
}
