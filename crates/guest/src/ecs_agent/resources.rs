//! What the instance has to offer to tasks.

use super::config::Config;
use serde_json::{Value, json};
use std::path::Path;

/// Why the resources cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum ResourceError {
    /// The kernel does not say how much memory there is.
    #[error("cannot read the memory's size from /proc/meminfo: {0}")]
    Memory(String),
    /// More memory is reserved than there is.
    #[error(
        "reserved memory is higher than available memory on the host, total memory: {total}, reserved: {reserved}"
    )]
    Reserved {
        /// MiB there are.
        total: u64,
        /// MiB reserved.
        reserved: u64,
    },
}

/// The `totalResources` of a registration: 1,024 CPU units a processor, memory in MiB, and the ports in use.
pub fn total(root: &Path, config: &Config) -> Result<Value, ResourceError> {
    let meminfo = std::fs::read_to_string(root.join("proc/meminfo"))
        .map_err(|err| ResourceError::Memory(err.to_string()))?;
    let total =
        memory_mib(&meminfo).ok_or_else(|| ResourceError::Memory("there is no MemTotal".to_owned()))?;
    let memory = total
        .checked_sub(config.reserved_memory)
        .ok_or(ResourceError::Reserved { total, reserved: config.reserved_memory })?;
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let texts = |ports: &[u16]| ports.iter().map(u16::to_string).collect::<Vec<_>>();
    Ok(json!([
        {"name": "CPU", "type": "INTEGER", "integerValue": cpus * 1024},
        {"name": "MEMORY", "type": "INTEGER", "integerValue": memory},
        {"name": "PORTS", "type": "STRINGSET", "stringSetValue": texts(&config.reserved_ports)},
        {"name": "PORTS_UDP", "type": "STRINGSET", "stringSetValue": texts(&config.reserved_ports_udp)},
    ]))
}

fn memory_mib(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_mib() {
        assert_eq!(memory_mib("MemFree: 1 kB\nMemTotal:        1012345 kB\n"), Some(988));
        assert_eq!(memory_mib("MemTotal: lots\n"), None);
    }
}
