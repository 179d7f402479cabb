//! Amazon's resolver inside a VPC, on top of hickory's server.

use std::sync::Arc;
use std::time::Duration;

use hickory_server::Server;
use hickory_server::net::runtime::Time;
use hickory_server::proto::op::{Edns, Header, HeaderCounts, Metadata, OpCode, ResponseCode};
use hickory_server::proto::rr::rdata::{A, PTR};
use hickory_server::proto::rr::{DNSClass, Name, RData, Record, RecordType};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use parking_lot::RwLock;
use tokio::net::{TcpListener, UdpSocket};

use super::names::{Answer, Names, Question};

/// How long clients may keep an answer, in seconds; Amazon's resolver says the same for private names.
const TTL: u32 = 60;
/// How long a silent TCP connection is kept.
const TCP_TIMEOUT: Duration = Duration::from_secs(10);
/// Answers that may wait for a slow TCP client.
const TCP_BUFFERED_ANSWERS: usize = 32;
/// The largest datagram: what every path inside the VPC carries unfragmented (RFC 6891's advice).
const MAX_PAYLOAD: u16 = 1232;

/// A VPC's names as they are now.
pub(super) type SharedNames = Arc<RwLock<Names>>;

/// Serves a VPC's names on these sockets until it is dropped.
pub(super) fn serve(
    names: SharedNames,
    udp: Vec<UdpSocket>,
    tcp: Vec<TcpListener>,
) -> Server<impl RequestHandler> {
    serve_with(Resolver { names }, udp, tcp)
}

/// Serves DNS on these sockets until it is dropped.
pub(crate) fn serve_with<H: RequestHandler>(
    handler: H,
    udp: Vec<UdpSocket>,
    tcp: Vec<TcpListener>,
) -> Server<H> {
    let mut server = Server::new(handler);
    for socket in udp {
        server.register_socket(socket);
    }
    for listener in tcp {
        server.register_listener(listener, TCP_TIMEOUT, TCP_BUFFERED_ANSWERS);
    }
    server
}

/// Answers queries from a VPC's names.
struct Resolver {
    names: SharedNames,
}

impl Resolver {
    /// The status and the records for a request.
    fn answer(&self, request: &Request) -> (ResponseCode, Vec<Record>) {
        if request.metadata.op_code != OpCode::Query {
            return (ResponseCode::NotImp, Vec::new());
        }
        let [query] = request.queries.queries() else {
            return (ResponseCode::FormErr, Vec::new());
        };
        if query.query_class() != DNSClass::IN {
            return (ResponseCode::Refused, Vec::new());
        }
        let question = match query.query_type() {
            RecordType::A | RecordType::ANY => Question::Address,
            RecordType::PTR => Question::Pointer,
            _ => Question::Other,
        };
        let name = query.name().to_string();
        let answer = self.names.read().answer(name.trim_end_matches('.'), question);
        // The client finds its own spelling of the name again (some compare it by case).
        let owner = query.original().name().clone();
        match answer {
            Answer::Address(address) => (ResponseCode::NoError, vec![record(owner, RData::A(A(address)))]),
            Answer::Pointer(name) => match Name::from_ascii(format!("{name}.")) {
                Ok(name) => (ResponseCode::NoError, vec![record(owner, RData::PTR(PTR(name)))]),
                Err(error) => {
                    tracing::warn!(%name, %error, "an instance's name is no DNS name");
                    (ResponseCode::ServFail, Vec::new())
                }
            },
            Answer::NoData => (ResponseCode::NoError, Vec::new()),
            Answer::NoSuchName => (ResponseCode::NXDomain, Vec::new()),
            Answer::Refused => (ResponseCode::Refused, Vec::new()),
        }
    }
}

/// A record that clients may keep for a while.
pub(crate) fn record(owner: Name, data: RData) -> Record {
    Record::from_rdata(owner, TTL, data)
}

#[async_trait::async_trait]
impl RequestHandler for Resolver {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        response_handle: R,
    ) -> ResponseInfo {
        let (code, records) = self.answer(request);
        respond(request, response_handle, code, &records).await
    }
}

/// Sends an answer made here.
pub(crate) async fn respond<R: ResponseHandler>(
    request: &Request,
    mut response_handle: R,
    code: ResponseCode,
    records: &[Record],
) -> ResponseInfo {
    let mut metadata = Metadata::response_from_request(&request.metadata);
    metadata.recursion_available = true;
    metadata.response_code = code;
    let mut builder = MessageResponseBuilder::from_message_request(request);
    let mut edns = Edns::new();
    edns.set_max_payload(MAX_PAYLOAD);
    if request.edns.is_some() {
        builder.edns(&edns);
    }
    let response = builder.build(metadata, records, [], [], []);
    let sent = response_handle.send_response(response).await;
    sent.unwrap_or_else(|error| unsent(metadata, &error))
}

/// What is to be said of an answer that could not be sent.
pub(crate) fn unsent(mut metadata: Metadata, error: &impl std::fmt::Display) -> ResponseInfo {
    tracing::debug!(%error, "a DNS answer could not be sent");
    metadata.response_code = ResponseCode::ServFail;
    ResponseInfo::from(Header { metadata, counts: HeaderCounts::default() })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use hickory_server::proto::op::{Message, MessageType, Query};
    use hickory_server::proto::serialize::binary::{BinDecodable, BinEncodable};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn query(name: &str, kind: RecordType) -> Vec<u8> {
        let mut message = Message::new(7, MessageType::Query, OpCode::Query);
        message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
        message.to_bytes().unwrap()
    }

    /// A resolver on a free port; the server lives as long as its handle.
    async fn resolver() -> (Server<impl RequestHandler>, std::net::SocketAddr) {
        let instance = (Ipv4Addr::new(10, 0, 0, 5), "ip-10-0-0-5.ec2.internal".to_owned());
        let names = Arc::new(RwLock::new(Names::new(true, [instance])));
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = udp.local_addr().unwrap();
        let tcp = TcpListener::bind(address).await.unwrap();
        (serve(names, vec![udp], vec![tcp]), address)
    }

    async fn ask(address: std::net::SocketAddr, question: &[u8]) -> Message {
        let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        client.send_to(question, address).await.unwrap();
        let mut buffer = [0; 1500];
        let n = client.recv(&mut buffer).await.unwrap();
        Message::from_bytes(&buffer[..n]).unwrap()
    }

    #[tokio::test]
    async fn answers_travel_by_datagram_and_by_stream() {
        let (_server, address) = resolver().await;
        let answer = ask(address, &query("ECS.us-east-1.amazonaws.com.", RecordType::A)).await;
        assert_eq!(answer.metadata.id, 7);
        assert_eq!(answer.metadata.response_code, ResponseCode::NoError);
        let record = &answer.answers[0];
        assert_eq!(record.data, RData::A(A(Ipv4Addr::new(198, 18, 0, 1))));
        assert_eq!(record.name.to_ascii(), "ECS.us-east-1.amazonaws.com.", "in the client's spelling");

        let question = query("5.0.0.10.in-addr.arpa.", RecordType::PTR);
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_u16(question.len().try_into().unwrap()).await.unwrap();
        stream.write_all(&question).await.unwrap();
        let mut answer = vec![0; stream.read_u16().await.unwrap().into()];
        stream.read_exact(&mut answer).await.unwrap();
        let answer = Message::from_bytes(&answer).unwrap();
        assert_eq!(answer.answers[0].data.to_string(), "ip-10-0-0-5.ec2.internal.");
    }

    #[tokio::test]
    async fn absence_is_told_apart() {
        let (_server, address) = resolver().await;
        let cases = [
            ("sts.amazonaws.com.", RecordType::AAAA, ResponseCode::NoError),
            ("example.com.", RecordType::A, ResponseCode::NXDomain),
        ];
        for (name, kind, code) in cases {
            let answer = ask(address, &query(name, kind)).await;
            assert_eq!(answer.metadata.response_code, code, "{name}");
            assert!(answer.answers.is_empty());
        }
    }
}
