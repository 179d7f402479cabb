//! The service's records. Pure.

use log_store::{GroupId, StreamId};
use serde::{Deserialize, Serialize};

use crate::api::tags::Tags;
use crate::ec2::state::record;
use crate::store::GLOBAL;

/// A log group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRecord {
    /// The region.
    pub region: String,
    /// The name.
    pub id: String,
    /// What the events' store knows it by.
    pub number: GroupId,
    /// When it was made, milliseconds since 1970.
    pub created: i64,
    /// After how many days events go; never when none.
    pub retention_days: Option<i32>,
    /// Tags.
    pub tags: Tags,
}
record!(GroupRecord, "logs.group");

/// A log stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamRecord {
    /// The region.
    pub region: String,
    /// See [`StreamRecord::key`].
    pub id: String,
    /// Its group's name.
    pub group: String,
    /// Its name.
    pub name: String,
    /// What the events' store knows it by.
    pub number: StreamId,
    /// When it was made, milliseconds since 1970.
    pub created: i64,
}
record!(StreamRecord, "logs.stream");

impl StreamRecord {
    /// The id of a stream's record: neither name can hold a colon.
    pub fn key(group: &str, stream: &str) -> String {
        format!("{group}:{stream}")
    }
}

/// Events that nobody can reach any more, and that the reconciler is to remove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// [`GLOBAL`]: the events' store knows no regions.
    pub region: String,
    /// See [`Removal::of`].
    pub id: String,
    /// The group.
    pub group: GroupId,
    /// The stream; the whole group when none.
    pub stream: Option<StreamId>,
}
record!(Removal, "logs.removal");

impl Removal {
    /// The removal of a stream's events, or of a whole group's.
    pub fn of(group: GroupId, stream: Option<StreamId>) -> Self {
        let id = match stream {
            Some(stream) => format!("{}/{}", group.0, stream.0),
            None => group.0.to_string(),
        };
        Self { region: GLOBAL.to_owned(), id, group, stream }
    }
}

/// The last number that a group or stream was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastNumber {
    /// [`GLOBAL`].
    pub region: String,
    /// [`LastNumber::ID`].
    pub id: String,
    /// The number.
    pub number: u64,
}
record!(LastNumber, "logs.last-number");

impl LastNumber {
    /// The id of the only record.
    pub const ID: &'static str = "last";
}
