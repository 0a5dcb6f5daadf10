//! A request is carried out when all of it is there. Its body is read here, before any other code looks at the request,
//! within a limit of bytes and of time. So no handler waits for a client, and no handler leaves bytes on the connection
//! that could be taken for the next request.

use std::cell::Cell;
use std::convert::Infallible;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, BytesMut};
use actix_web::{Error, HttpMessage};
use flash_sale_core::limits::{BODY_TIMEOUT, LONGEST_BODY};
use futures::StreamExt;
use tokio::time::timeout;

use crate::problem::Problem;

/// The request's body, whole.
#[derive(Clone)]
pub struct Body(pub Bytes);

/// The rest of a body that isn't wanted. While it is kept, actix-http closes the connection after the answer. If it
/// were dropped, actix-http would read a chunked body to its end, however long that takes.
pub struct UnreadBody(#[expect(dead_code, reason = "it only has to be there")] Payload);

impl UnreadBody {
    /// The body of the answer.
    pub fn keep_while_sending(self, answer: String) -> BoxBody {
        BoxBody::new(LastAnswer { answer: answer.into(), _unread: self })
    }
}

/// The body of a connection's last answer.
struct LastAnswer {
    answer: Bytes,
    _unread: UnreadBody,
}

impl MessageBody for LastAnswer {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.answer.len() as u64)
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let answer = mem::take(&mut self.answer);
        Poll::Ready((!answer.is_empty()).then_some(Ok(answer)))
    }
}

/// Whether the client or the shop has said `Connection: close` on this connection. The answer to that request is the
/// last one. Requests that came behind it are not carried out: their client doesn't expect them to be (RFC 9112,
/// section 9.6).
#[derive(Default)]
pub struct IsEnding(Cell<bool>);

/// The length of a body, as its head gives it.
enum Length {
    Bytes(u64),
    Chunked,
}

/// Puts the body into the request's extensions. Answers 408 when it takes longer than [`BODY_TIMEOUT`], 413 when
/// it is longer than [`LONGEST_BODY`], 400 when it breaks off, and closes the connection after each of these.
pub async fn read_whole_body<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let wants_to_end = request.head().connection_type() == ConnectionType::Close;
    if has_ended(&request, wants_to_end) {
        let problem = Problem::new(StatusCode::BAD_REQUEST, "The connection ended with the answer before");
        return Ok(request.into_response(problem.closing_connection().into_response()));
    }
    let Some(length) = length(&request) else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };

    let mut payload = request.take_payload();
    let body = timeout(BODY_TIMEOUT, read(&mut payload, length)).await;
    match body.unwrap_or_else(|_| Err(Problem::body_too_slow())) {
        Ok(body) => {
            request.extensions_mut().insert(Body(body));
            Ok(next.call(request).await?.map_into_boxed_body())
        }
        Err(problem) => {
            has_ended(&request, true);
            let mut response = problem.closing_connection().into_response();
            response.extensions_mut().insert(UnreadBody(payload));
            Ok(request.into_response(response))
        }
    }
}

/// Whether the connection has ended before this request. If it `ends_now`, all later requests find it ended.
fn has_ended(request: &ServiceRequest, ends_now: bool) -> bool {
    request.conn_data::<IsEnding>().is_some_and(|IsEnding(flag)| flag.replace(flag.get() || ends_now))
}

/// The body's length, or `None` without a body. actix-http has refused a request with several lengths, or with a length
/// that is no number.
fn length(request: &ServiceRequest) -> Option<Length> {
    let headers = request.headers();
    if headers.contains_key(TRANSFER_ENCODING) {
        return Some(Length::Chunked);
    }
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok().map(Length::Bytes)
}

async fn read(payload: &mut Payload, length: Length) -> Result<Bytes, Problem> {
    let expected = match length {
        Length::Bytes(bytes) if bytes > LONGEST_BODY as u64 => return Err(Problem::body_too_large()),
        Length::Bytes(bytes) => Some(bytes as usize),
        Length::Chunked => None,
    };
    let mut body = BytesMut::new();
    // The bytes are counted, because actix-http sees no end of a body behind `Upgrade: websocket`.
    while expected.is_none_or(|expected| body.len() < expected) {
        match payload.next().await {
            Some(Ok(bytes)) => {
                let wanted = expected.map_or(bytes.len(), |expected| bytes.len().min(expected - body.len()));
                body.extend_from_slice(&bytes[..wanted]);
            }
            None if expected.is_none() => break,
            None | Some(Err(_)) => return Err(broken()),
        }
        if body.len() > LONGEST_BODY {
            return Err(Problem::body_too_large());
        }
    }
    Ok(body.freeze())
}

fn broken() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "The body did not arrive whole")
}
