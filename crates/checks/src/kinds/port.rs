//! `[[port]]`: who listens, as the kernel has it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::answer::{Answers, Question, Unknown};
use crate::check::Expectation;
use crate::entry::Entry;
use crate::verdict::Findings;

/// A transport protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Protocol {
    #[default]
    Tcp,
    Udp,
}

impl Protocol {
    fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }

    /// The state of a listening socket in `/proc/net`: `TCP_LISTEN`; for UDP, which does not listen, `TCP_CLOSE`: bound
    /// and not connected.
    fn state(self) -> &'static str {
        match self {
            Self::Tcp => "0A",
            Self::Udp => "07",
        }
    }
}

/// A port on which something must listen, or nothing.
#[derive(Debug)]
struct Port {
    port: u16,
    protocol: Protocol,
    address: Option<IpAddr>,
    listening: bool,
}

pub(super) fn read(entry: &mut Entry<'_>) -> Vec<Box<dyn Expectation>> {
    let port: Option<u16> = entry.required("port");
    let protocol = entry.optional("protocol").unwrap_or_default();
    let address = entry.optional::<String>("address").and_then(|text| {
        let address = text.parse().ok();
        if address.is_none() {
            entry.complain(Some("address"), format!("`address`: \"{text}\" is no IP address"));
        }
        address
    });
    let listening = entry.optional("listening").unwrap_or(true);
    if port == Some(0) {
        entry.complain(Some("port"), "port 0 is none");
    }
    super::one(port.map(|port| Port { port, protocol, address, listening }))
}

impl Port {
    /// Prints the local addresses of the sockets that listen. A kernel without IPv6 has no second table.
    fn question(&self) -> Question {
        let (protocol, state) = (self.protocol.name(), self.protocol.state());
        Question::new(format!(
            "set -e
awk '$4 == \"{state}\" {{ print $2 }}' /proc/net/{protocol}
[ ! -r /proc/net/{protocol}6 ] || awk '$4 == \"{state}\" {{ print $2 }}' /proc/net/{protocol}6"
        ))
    }
}

/// `ADDRESS:PORT` of `/proc/net/tcp` and its like: hexadecimal digits, the address as 32-bit numbers in the byte order of
/// the machine, which is little-endian wherever EC2 runs.
fn socket(text: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = text.split_once(':')?;
    if !address.is_ascii() {
        return None;
    }
    let word = |at: usize| u32::from_str_radix(address.get(at..at + 8)?, 16).ok().map(u32::to_le_bytes);
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (part, at) in bytes.chunks_exact_mut(4).zip([0, 8, 16, 24]) {
                part.copy_from_slice(&word(at)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some((address, u16::from_str_radix(port, 16).ok()?))
}

impl Expectation for Port {
    fn subject(&self) -> String {
        format!("{}/{}", self.port, self.protocol.name())
    }

    fn claim(&self) -> String {
        let who = if self.listening { "something" } else { "nothing" };
        let address = self.address.map(|address| format!(" at {address}")).unwrap_or_default();
        format!("{who} listens on {}{address}", self.subject())
    }

    fn questions(&self) -> Vec<Question> {
        vec![self.question()]
    }

    fn judge(&self, answers: &Answers) -> Result<Findings, Unknown> {
        let text = answers.to(&self.question())?.success()?;
        let sockets: Option<Vec<(IpAddr, u16)>> = text.lines().map(socket).collect();
        let sockets =
            sockets.ok_or_else(|| Unknown("the kernel's list of sockets cannot be read".to_owned()))?;
        let mut at: Vec<IpAddr> =
            sockets.into_iter().filter(|(_, port)| *port == self.port).map(|(address, _)| address).collect();
        at.sort();
        at.dedup();
        let there = self.address.map_or(!at.is_empty(), |wanted| at.contains(&wanted));
        let addresses = at.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let found = if at.is_empty() { "nobody".to_owned() } else { format!("somebody at {addresses}") };
        let expected = match (self.listening, self.address) {
            (true, None) => "somebody".to_owned(),
            (true, Some(address)) => format!("somebody at {address}"),
            (false, None) => "nobody".to_owned(),
            (false, Some(address)) => format!("nobody at {address}"),
        };
        let mut findings = Findings::default();
        findings.expect(there == self.listening, expected, found);
        Ok(findings)
    }
}
