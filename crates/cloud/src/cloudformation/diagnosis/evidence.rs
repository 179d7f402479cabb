//! What there is to know of an instance from outside: its logs, through whatever runs the machine, and its network.

use std::path::Path;

use machine::{ByteRange, Driver, MachineStatus};

use super::{Evidence, Machine, sentence};
use crate::Store;
use crate::vpc::{self, Barrier};

/// Enough of a log's end to hold the last command and its last lines.
const TAIL: ByteRange = ByteRange::Tail { max: 64 * 1024 };

/// Reads what there is of an instance.
pub async fn read(driver: &dyn Driver, store: &Store, instance: &str) -> Evidence {
    let machine = match driver.status(instance) {
        MachineStatus::Absent => return Evidence::default(),
        MachineStatus::Running { .. } | MachineStatus::Booting => Machine::Running,
        MachineStatus::Exited => Machine::Exited,
    };
    Evidence {
        init_log: text(driver, instance, "/var/log/cfn-init.log").await.unwrap_or_default(),
        command_log: text(driver, instance, "/var/log/cfn-init-cmd.log").await.unwrap_or_default(),
        user_data_log: text(driver, instance, "/var/log/cloud-init-output.log").await.unwrap_or_default(),
        agent_log: text(driver, instance, "/var/log/ecs/ecs-agent.log").await.unwrap_or_default(),
        finished: text(driver, instance, "/var/lib/cloud/instance/boot-finished").await.is_some(),
        barrier: barrier(store, instance),
        machine,
    }
}

/// What the evidence says of each of some instances, in one sentence; none without instances.
pub async fn tell(driver: &dyn Driver, store: &Store, instances: &[String]) -> Option<String> {
    const TOLD: usize = 4;
    let mut told = Vec::new();
    for instance in instances.iter().take(TOLD) {
        told.push(format!("{instance}: {}", sentence(&read(driver, store, instance).await)));
    }
    if instances.len() > TOLD {
        told.push(format!("and {} more instances", instances.len() - TOLD));
    }
    if told.is_empty() { None } else { Some(told.join("; ")) }
}

/// What keeps the instance from AWS by the records of its network. Records that cannot be read say nothing.
fn barrier(store: &Store, instance: &str) -> Option<Barrier> {
    vpc::barrier(store, instance).unwrap_or_else(|error| {
        tracing::warn!(instance, %error, "cannot read the network's records for a diagnosis");
        None
    })
}

/// The end of a file as text; none when it is not there. A log that cannot be read is one that says nothing:
/// the reason that CloudFormation itself gives stands without it.
async fn text(driver: &dyn Driver, instance: &str, path: &str) -> Option<String> {
    match driver.read_file(instance, Path::new(path), TAIL).await {
        Ok(chunk) => chunk.map(|chunk| String::from_utf8_lossy(&chunk.bytes).into_owned()),
        Err(error) => {
            tracing::warn!(instance, path, %error, "cannot read a log for a diagnosis");
            None
        }
    }
}
