//! The resolver of commands: AWS's names lead here, all others are the host's affair.

use std::net::Ipv4Addr;

use hickory_server::net::runtime::Time;
use hickory_server::net::xfer::Protocol;
use hickory_server::proto::op::{Message, OpCode, ResponseCode};
use hickory_server::proto::rr::rdata::A;
use hickory_server::proto::rr::{RData, RecordType};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;

use super::upstream::{self, Transport};
use crate::vpc::dns::{record, respond, unsent};
use crate::vpc::{API_DOMAINS, is_api_name};

/// Answers the queries of commands.
pub(super) struct Resolver {
    /// Where the API answers; the resolver itself is there too.
    address: Ipv4Addr,
}

/// What a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// One of AWS's API: it leads here.
    Api,
    /// One of AWS's API with a search domain of the host's behind it, as resolvers try names. It must not exist, or
    /// a domain that answers every name would lead elsewhere.
    Searched,
    /// Any other.
    Other,
}

impl Kind {
    /// The kind of a name in lower case, without the last dot.
    fn of(name: &str) -> Self {
        if is_api_name(name) {
            return Self::Api;
        }
        let name = format!(".{name}");
        let is_within = API_DOMAINS.iter().any(|domain| name.contains(&format!(".{domain}.")));
        if is_within { Self::Searched } else { Self::Other }
    }
}

impl Resolver {
    /// A resolver that leads AWS's names to an address.
    pub(super) fn new(address: Ipv4Addr) -> Self {
        Self { address }
    }

    /// Asks the host's own resolvers, and passes their answer on.
    async fn pass_on<R: ResponseHandler>(&self, request: &Request, mut response: R) -> ResponseInfo {
        let transport = match request.protocol() {
            Protocol::Udp => Transport::Datagram,
            _ => Transport::Stream,
        };
        let answer = match upstream::ask(self.address, request.as_slice(), transport).await {
            Ok(answer) => Message::from_vec(&answer).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                tracing::debug!(queries = ?request.queries, %error, "the host's resolvers gave no answer");
                return respond(request, response, ResponseCode::ServFail, &[]).await;
            }
        };
        let mut builder = MessageResponseBuilder::from_message_request(request);
        if let Some(edns) = &answer.edns {
            builder.edns(edns);
        }
        let passed =
            builder.build(answer.metadata, &answer.answers, &answer.authorities, [], &answer.additionals);
        let sent = response.send_response(passed).await;
        sent.unwrap_or_else(|error| unsent(answer.metadata, &error))
    }
}

#[async_trait::async_trait]
impl RequestHandler for Resolver {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        response: R,
    ) -> ResponseInfo {
        let [query] = request.queries.queries() else {
            return respond(request, response, ResponseCode::FormErr, &[]).await;
        };
        if request.metadata.op_code != OpCode::Query {
            return respond(request, response, ResponseCode::NotImp, &[]).await;
        }
        match Kind::of(query.name().to_string().trim_end_matches('.')) {
            Kind::Other => self.pass_on(request, response).await,
            Kind::Searched => respond(request, response, ResponseCode::NXDomain, &[]).await,
            Kind::Api if matches!(query.query_type(), RecordType::A | RecordType::ANY) => {
                // The client finds its own spelling of the name again (some compare it by case).
                let owner = query.original().name().clone();
                let address = record(owner, RData::A(A(self.address)));
                respond(request, response, ResponseCode::NoError, &[address]).await
            }
            Kind::Api => respond(request, response, ResponseCode::NoError, &[]).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_aws_lead_here_with_or_without_a_search_domain() {
        let cases = [
            ("ec2.us-east-1.amazonaws.com", Kind::Api),
            ("sts.amazonaws.com", Kind::Api),
            ("ec2.us-east-1.api.aws", Kind::Api),
            ("ec2.cn-north-1.amazonaws.com.cn", Kind::Api),
            ("sts.amazonaws.com.corp.example", Kind::Searched),
            ("sts.us-east-1.api.aws.svc.cluster.local", Kind::Searched),
            ("example.com", Kind::Other),
            ("notamazonaws.com", Kind::Other),
            ("notamazonaws.com.example", Kind::Other),
            ("amazonaws.community", Kind::Other),
            ("localhost", Kind::Other),
        ];
        for (name, kind) in cases {
            assert_eq!(Kind::of(name), kind, "{name}");
        }
    }
}
