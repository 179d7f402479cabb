//! One DNS question to one name server, over UDP and, when the answer does not fit, over TCP.

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// The kind of address asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordType {
    /// IPv4.
    A,
    /// IPv6.
    Aaaa,
}

/// Why a question got no answer.
#[derive(Debug, thiserror::Error)]
pub enum DnsError {
    /// The name is not one DNS can carry.
    #[error("{0:?} is not a valid host name")]
    BadName(String),
    /// There is no name server to ask.
    #[error("no name server is configured")]
    NoServer,
    /// The name server did not answer, or could not be reached.
    #[error("name server {server}: {source}")]
    Io {
        /// The name server asked.
        server: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The name server answered with an error or with something that is not DNS.
    #[error("name server {server} answered {answer}")]
    Refused {
        /// The name server asked.
        server: SocketAddr,
        /// Its answer.
        answer: String,
    },
}

/// Asks `server` for `name`'s addresses. An empty answer means that the name does not exist or has none of this kind.
pub fn query(
    server: SocketAddr,
    name: &str,
    record_type: RecordType,
    timeout: Duration,
) -> Result<Vec<IpAddr>, DnsError> {
    let id = rand::random::<u16>();
    let request = encode(id, name, record_type)?;
    let to_io = |source| DnsError::Io { server, source };
    let answer = ask_udp(server, id, &request, timeout).map_err(to_io)?;
    match decode(&answer, server)? {
        Answer::Addresses(addresses) => Ok(addresses),
        Answer::Truncated => {
            let answer = ask_tcp(server, &request, timeout).map_err(to_io)?;
            match decode(&answer, server)? {
                Answer::Addresses(addresses) => Ok(addresses),
                Answer::Truncated => Err(refused(server, "truncated over TCP")),
            }
        }
    }
}

enum Answer {
    Addresses(Vec<IpAddr>),
    Truncated,
}

fn encode(id: u16, name: &str, record_type: RecordType) -> Result<Vec<u8>, DnsError> {
    let bad_name = |_| DnsError::BadName(name.to_owned());
    let qtype = match record_type {
        RecordType::A => TYPE::A,
        RecordType::Aaaa => TYPE::AAAA,
    };
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let qname = Name::new(name).map_err(bad_name)?;
    packet.questions.push(Question::new(qname, QTYPE::TYPE(qtype), QCLASS::CLASS(CLASS::IN), false));
    packet.build_bytes_vec().map_err(bad_name)
}

fn decode(bytes: &[u8], server: SocketAddr) -> Result<Answer, DnsError> {
    let packet =
        Packet::parse(bytes).map_err(|err| refused(server, &format!("a malformed packet: {err:?}")))?;
    match packet.rcode() {
        RCODE::NoError if packet.has_flags(PacketFlag::TRUNCATION) => return Ok(Answer::Truncated),
        RCODE::NoError => {}
        RCODE::NameError => return Ok(Answer::Addresses(Vec::new())),
        other => return Err(refused(server, &format!("{other:?}"))),
    }
    // A recursive server puts the end of a CNAME chain into the same answer.
    let addresses = packet.answers.iter().filter_map(|record| match &record.rdata {
        RData::A(a) => Some(IpAddr::from(Ipv4Addr::from(a.address))),
        RData::AAAA(aaaa) => Some(IpAddr::from(Ipv6Addr::from(aaaa.address))),
        _ => None,
    });
    Ok(Answer::Addresses(addresses.collect()))
}

fn refused(server: SocketAddr, answer: &str) -> DnsError {
    DnsError::Refused { server, answer: answer.to_owned() }
}

fn ask_udp(server: SocketAddr, id: u16, request: &[u8], timeout: Duration) -> io::Result<Vec<u8>> {
    let any =
        if server.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    // A connected socket takes answers from this server only, and learns when nothing listens there.
    socket.connect(server)?;
    socket.send(request)?;
    let deadline = Instant::now() + timeout;
    let mut buffer = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        socket.set_read_timeout(Some(left))?;
        let length = socket.recv(&mut buffer)?;
        if buffer[..length].starts_with(&id.to_be_bytes()) {
            return Ok(buffer[..length].to_vec());
        }
    }
}

fn ask_tcp(server: SocketAddr, request: &[u8], timeout: Duration) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&server, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    let length = u16::try_from(request.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    stream.write_all(&[&length.to_be_bytes(), request].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}
