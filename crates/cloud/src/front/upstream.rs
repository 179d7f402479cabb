//! The host's own resolvers, as its `/etc/resolv.conf` names them at the time of a question.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// Where resolver(5) finds its servers.
const CONFIGURATION: &str = "/etc/resolv.conf";
/// As many servers as resolver(5) asks (`MAXNS`).
const MAX_SERVERS: usize = 3;
/// How long one server may take: less than the 5 seconds after which a client asks again.
const PATIENCE: Duration = Duration::from_secs(2);
const DNS: u16 = 53;

/// How a question came, and is passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    /// UDP: one datagram each way.
    Datagram,
    /// TCP: messages behind their lengths (RFC 1035, section 4.2.2).
    Stream,
}

/// Asks the host's resolvers one after the other until one answers a question. `own` is not asked: it would ask
/// itself.
///
/// # Errors
/// The last one's failure, or that there is none to ask.
pub(super) async fn ask(own: Ipv4Addr, question: &[u8], transport: Transport) -> io::Result<Vec<u8>> {
    let text = tokio::fs::read_to_string(CONFIGURATION).await.unwrap_or_default();
    let mut result = Err(io::Error::other(format!("{CONFIGURATION} names no other resolver")));
    for server in servers(&text, own) {
        let server = SocketAddr::new(server, DNS);
        let asking = async {
            match transport {
                Transport::Datagram => by_datagram(server, question).await,
                Transport::Stream => by_stream(server, question).await,
            }
        };
        result = timeout(PATIENCE, asking).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        if result.is_ok() {
            break;
        }
    }
    result
}

/// The servers that a configuration names; this host when it names none, as resolver(5) has it.
fn servers(configuration: &str, own: Ipv4Addr) -> Vec<IpAddr> {
    let mut named: Vec<IpAddr> = configuration
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("nameserver"))
        .filter_map(|server| server.split_whitespace().next()?.parse().ok())
        .take(MAX_SERVERS)
        .collect();
    if named.is_empty() {
        named.push(Ipv4Addr::LOCALHOST.into());
    }
    named.retain(|server| *server != IpAddr::V4(own));
    named
}

async fn by_datagram(server: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut answer = vec![0; usize::from(u16::MAX)];
    loop {
        let length = socket.recv(&mut answer).await?;
        // The identifier is the first two octets; another's is somebody's who guesses.
        if answer.get(..2) == question.get(..2) && length > 2 {
            answer.truncate(length);
            return Ok(answer);
        }
    }
}

async fn by_stream(server: SocketAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(question.len()).map_err(io::Error::other)?;
    let mut message = length.to_be_bytes().to_vec();
    message.extend_from_slice(question);
    stream.write_all(&message).await?;
    let mut answer = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const OWN: Ipv4Addr = Ipv4Addr::new(127, 64, 255, 254);

    #[test]
    fn the_servers_are_the_hosts() {
        let cases = [
            ("nameserver 192.0.2.1\n", vec!["192.0.2.1"]),
            ("# comment\nsearch corp.example\n nameserver\t192.0.2.1 # first\n", vec!["192.0.2.1"]),
            ("nameserver ::1\nnameserver 127.0.0.53\noptions edns0\n", vec!["::1", "127.0.0.53"]),
            (
                "nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\nnameserver 4.4.4.4\n",
                vec!["1.1.1.1", "2.2.2.2", "3.3.3.3"],
            ),
            ("nameserver nonsense\n", vec!["127.0.0.1"]),
            ("", vec!["127.0.0.1"]),
            ("nameserver 127.64.255.254\n", vec![]),
        ];
        for (text, expected) in cases {
            let expected: Vec<IpAddr> = expected.iter().map(|address| address.parse().unwrap()).collect();
            assert_eq!(servers(text, OWN), expected, "{text:?}");
        }
    }

    #[tokio::test]
    async fn an_answer_by_datagram_is_the_questions_own() {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let mut question = [0; 64];
            let (_, from) = server.recv_from(&mut question).await.unwrap();
            server.send_to(b"\0\x08guess", from).await.unwrap();
            server.send_to(b"\0\x07answer", from).await.unwrap();
        });
        assert_eq!(by_datagram(address, b"\0\x07question").await.unwrap(), b"\0\x07answer");
        serving.await.unwrap();
    }

    #[tokio::test]
    async fn an_answer_by_stream_has_its_length_before_it() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let (mut stream, _) = server.accept().await.unwrap();
            let mut question = [0; 12];
            stream.read_exact(&mut question).await.unwrap();
            assert_eq!(&question, b"\0\x0a\0\x07question");
            stream.write_all(b"\0\x08\0\x07answer").await.unwrap();
        });
        assert_eq!(by_stream(address, b"\0\x07question").await.unwrap(), b"\0\x07answer");
        serving.await.unwrap();
    }
}
