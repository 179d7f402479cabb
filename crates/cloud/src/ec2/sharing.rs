//! Who else may use an image or a snapshot: changes of permissions. Pure.

use aws_wire::Error;
use aws_wire::ec2::{CreateVolumePermission, LaunchPermission};
use machine::images::Shared;

use super::errors;

/// The group of everybody, the only one there is.
const EVERYBODY: &str = "all";

/// Changes of permissions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Who may from now on.
    pub add: Shared,
    /// Who may no longer.
    pub remove: Shared,
}

impl Changes {
    /// The changes of the old form: an operation, and the users and groups that it is for.
    ///
    /// # Errors
    /// When the operation is none, or a user or group is not one.
    pub fn by_operation(operation: &str, users: &[String], groups: &[String]) -> Result<Self, Error> {
        let named = users.iter().map(|user| (Some(user.as_str()), None));
        let named = shared(named.chain(groups.iter().map(|group| (None, Some(group.as_str())))))?;
        match operation {
            "add" => Ok(Self { add: named, ..Self::default() }),
            "remove" => Ok(Self { remove: named, ..Self::default() }),
            other => Err(errors::invalid_parameter(other, "operationType", "Expected add or remove.")),
        }
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Makes the changes.
    pub fn apply(&self, shared: &mut Shared) {
        shared.all = (shared.all || self.add.all) && !self.remove.all;
        shared.users.extend(self.add.users.iter().cloned());
        shared.users.retain(|user| !self.remove.users.contains(user));
    }
}

/// Users and groups, each item one of both.
///
/// # Errors
/// When a user is no account number, or a group not `all`.
pub fn shared<'a>(
    items: impl IntoIterator<Item = (Option<&'a str>, Option<&'a str>)>,
) -> Result<Shared, Error> {
    let mut shared = Shared::default();
    for (user, group) in items {
        match (user, group) {
            (Some(user), _) if user.len() == 12 && user.bytes().all(|b| b.is_ascii_digit()) => {
                shared.users.insert(user.to_owned());
            }
            (Some(user), _) => {
                let message = format!("Invalid user id: \"{user}\"");
                return Err(Error::client("InvalidUserID.Malformed", message));
            }
            (None, Some(EVERYBODY)) => shared.all = true,
            (None, Some(group)) => {
                return Err(errors::invalid_parameter(group, "userGroup", "Expected all."));
            }
            (None, None) => return Err(errors::missing("userId")),
        }
    }
    Ok(shared)
}

/// Launch permissions as answers hold them.
pub fn launch_permissions(shared: &Shared) -> Vec<LaunchPermission> {
    let all = shared
        .all
        .then(|| LaunchPermission { group: Some(EVERYBODY.to_owned()), ..LaunchPermission::default() });
    let users = shared
        .users
        .iter()
        .map(|user| LaunchPermission { user_id: Some(user.clone()), ..LaunchPermission::default() });
    all.into_iter().chain(users).collect()
}

/// Permissions to make volumes as answers hold them.
pub fn volume_permissions(shared: &Shared) -> Vec<CreateVolumePermission> {
    let all = shared
        .all
        .then(|| CreateVolumePermission { group: Some(EVERYBODY.to_owned()), ..Default::default() });
    let users = shared
        .users
        .iter()
        .map(|user| CreateVolumePermission { user_id: Some(user.clone()), ..Default::default() });
    all.into_iter().chain(users).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(items: &[&str]) -> Vec<String> {
        items.iter().map(|item| (*item).to_owned()).collect()
    }

    #[test]
    fn permissions_come_and_go() {
        let mut all = Shared::default();
        for (operation, users, groups, expected) in [
            ("add", vec!["111122223333"], vec![], (false, vec!["111122223333"])),
            ("add", vec!["444455556666"], vec!["all"], (true, vec!["111122223333", "444455556666"])),
            ("remove", vec!["111122223333"], vec!["all"], (false, vec!["444455556666"])),
            ("remove", vec!["999999999999"], vec![], (false, vec!["444455556666"])),
        ] {
            Changes::by_operation(operation, &texts(&users), &texts(&groups)).unwrap().apply(&mut all);
            let users: Vec<&str> = all.users.iter().map(String::as_str).collect();
            assert_eq!((all.all, users), expected, "{operation}");
        }
        assert_eq!(launch_permissions(&all).len(), 1);
        assert_eq!(volume_permissions(&Shared { all: true, ..all }).len(), 2);
    }

    #[test]
    fn bad_permissions() {
        for (operation, users, groups, code) in [
            ("add", vec!["me"], vec![], "InvalidUserID.Malformed"),
            ("add", vec![], vec!["friends"], "InvalidParameterValue"),
            ("set", vec!["111122223333"], vec![], "InvalidParameterValue"),
        ] {
            let failed = Changes::by_operation(operation, &texts(&users), &texts(&groups)).unwrap_err();
            assert_eq!(failed.code, code, "{operation} {users:?} {groups:?}");
        }
        assert_eq!(shared([(None, None)]).unwrap_err().code, "MissingParameter");
    }
}
