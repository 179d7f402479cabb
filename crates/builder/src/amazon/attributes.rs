//! Who may use the image, and what it says of itself.

use async_trait::async_trait;
use aws_sdk_ec2::types::{
    AttributeValue, CreateVolumePermission, CreateVolumePermissionModifications, LaunchPermission,
    LaunchPermissionModifications, PermissionGroup,
};
use packer_template::config::{AmiConfig, ImdsSupport};

use super::error::Error;
use super::state::State;
use crate::aws::ApiError;
use crate::steps::{Scope, Step};

/// Sets the attributes of every image and snapshot that was made.
pub(super) struct ModifyAttributes<'a> {
    pub ami: &'a AmiConfig,
}

/// One change of an image. EC2 takes one in a request.
enum Change<'a> {
    Description(String),
    Groups(&'a [String]),
    Users(&'a [String]),
    ProductCodes(&'a [String]),
    ImdsSupport(&'static str),
}

impl Change<'_> {
    /// What Packer calls it.
    fn name(&self) -> &'static str {
        match self {
            Self::Description(_) => "description",
            Self::Groups(_) => "groups",
            Self::Users(_) => "users",
            Self::ProductCodes(_) => "product codes",
            Self::ImdsSupport(_) => "imds_support",
        }
    }

    async fn make(&self, ec2: &aws_sdk_ec2::Client, ami: &str) -> Result<(), ApiError> {
        let request = ec2.modify_image_attribute().image_id(ami);
        let value = |value: &str| AttributeValue::builder().value(value).build();
        let launch = |permissions: Vec<LaunchPermission>| {
            LaunchPermissionModifications::builder().set_add(Some(permissions)).build()
        };
        let request = match self {
            Self::Description(text) => request.description(value(text)),
            Self::Groups(groups) => {
                let one = |group: &String| {
                    LaunchPermission::builder().group(PermissionGroup::from(group.as_str())).build()
                };
                request.launch_permission(launch(groups.iter().map(one).collect()))
            }
            Self::Users(users) => {
                let one = |user: &String| LaunchPermission::builder().user_id(user).build();
                request.launch_permission(launch(users.iter().map(one).collect()))
            }
            Self::ProductCodes(codes) => request.set_product_codes(Some(codes.to_vec())),
            Self::ImdsSupport(version) => request.imds_support(value(version)),
        };
        request.send().await.map(drop).map_err(|error| ApiError::of("ModifyImageAttribute", error))
    }
}

#[async_trait]
impl<'a> Step<State<'a>, Error> for ModifyAttributes<'a> {
    fn name(&self) -> &'static str {
        "StepModifyAMIAttributes"
    }

    async fn run(&mut self, state: &mut State<'a>, scope: Scope<'_>) -> Result<(), Error> {
        let description = self.ami.ami_description.render(&state.data).map_err(Error::template)?;
        let changes = changes(self.ami, description);
        let permissions = permissions(self.ami);
        for (region, made) in &state.images {
            let ec2 = state.session.ec2_in(region);
            if !changes.is_empty() {
                scope.ui.say(&format!("Modifying attributes on AMI ({})...", made.ami));
            }
            for change in &changes {
                scope.ui.message(&format!("Modifying: {}", change.name()));
                let attempt = format!("Error modify AMI attributes: {} of {}", change.name(), made.ami);
                change.make(&ec2, &made.ami).await.map_err(Error::api(attempt))?;
            }
            for snapshot in made.snapshots.iter().filter(|_| !permissions.is_empty()) {
                scope.ui.say(&format!("Modifying attributes on snapshot ({snapshot})..."));
                for (name, permission) in &permissions {
                    scope.ui.message(&format!("Modifying: {name}"));
                    let request = ec2.modify_snapshot_attribute().snapshot_id(snapshot);
                    let answer = request.create_volume_permission(permission.clone()).send().await;
                    answer.map_err(|error| ApiError::of("ModifySnapshotAttribute", error)).map_err(
                        Error::api(format!("Error modify snapshot attributes: {name} of {snapshot}")),
                    )?;
                }
            }
        }
        Ok(())
    }
}

fn changes(ami: &AmiConfig, description: String) -> Vec<Change<'_>> {
    let imds = ami.imds_support.map(|support| match support {
        ImdsSupport::V2_0 => "v2.0",
    });
    let given = |list: &'_ [String]| !list.is_empty();
    [
        (!description.is_empty()).then_some(Change::Description(description)),
        given(&ami.ami_groups).then_some(Change::Groups(&ami.ami_groups)),
        given(&ami.ami_users).then_some(Change::Users(&ami.ami_users)),
        given(&ami.ami_product_codes).then_some(Change::ProductCodes(&ami.ami_product_codes)),
        imds.map(Change::ImdsSupport),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Who may make volumes of the snapshots.
fn permissions(ami: &AmiConfig) -> Vec<(&'static str, CreateVolumePermissionModifications)> {
    let group = |group: &String| {
        CreateVolumePermission::builder().group(PermissionGroup::from(group.as_str())).build()
    };
    let user = |user: &String| CreateVolumePermission::builder().user_id(user).build();
    let kinds = [
        ("groups", ami.snapshot_groups.iter().map(group).collect::<Vec<_>>()),
        ("users", ami.snapshot_users.iter().map(user).collect()),
    ];
    let given = kinds.into_iter().filter(|(_, all)| !all.is_empty());
    given
        .map(|(name, all)| (name, CreateVolumePermissionModifications::builder().set_add(Some(all)).build()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::config;
    use super::*;

    #[test]
    fn each_attribute_that_is_given_is_a_change_of_its_own() {
        let config = config(
            r#""ami_groups": ["all"], "ami_users": ["1"], "ami_product_codes": ["a"], "imds_support": "v2.0",
               "snapshot_users": ["2"], "snapshot_groups": ["all"]"#,
        );
        let changes = changes(&config.ami, "words".to_owned());
        let names: Vec<&str> = changes.iter().map(Change::name).collect();
        assert_eq!(names, ["description", "groups", "users", "product codes", "imds_support"]);
        let permissions = permissions(&config.ami);
        let names: Vec<&str> = permissions.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["groups", "users"]);
        assert_eq!(permissions[1].1.add()[0].user_id.as_deref(), Some("2"));
    }

    #[test]
    fn what_is_not_given_is_not_changed() {
        let config = config("");
        assert!(changes(&config.ami, String::new()).is_empty());
        assert!(permissions(&config.ami).is_empty());
    }
}
