//! Every request has an id, and every answer names its replica. Both stand in the log, in one line for each request.
//! Requests of no interest are left out. All other lines that a request causes name both too (see `logger.rs`).

use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};
use flash_sale_services::log_context::LogContext;
use log::Level;

use crate::logger::ClientText;
use crate::replica_name::ReplicaName;
use crate::request_id::{REQUEST_ID, RequestId};

const SERVED_BY: HeaderName = HeaderName::from_static("x-served-by");
/// Gives the request its id and its replica's name, sends both back, and logs method, path, status,
/// milliseconds, replica and id.
pub async fn identify_and_log<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let mut line = LogLine {
        begun: Instant::now(),
        method: request.method().clone(),
        path: request.path().to_owned(),
        id: RequestId::of(&request),
        replica: request.app_data::<ReplicaName>().expect("server.rs puts it there").clone(),
        status: None,
    };
    request.extensions_mut().insert(line.id.clone());
    request.extensions_mut().insert(line.replica.clone());

    let context = LogContext::of_request(&line.id.0);
    let mut response = context.follow(async { next.call(request).await }).await?;

    for (name, value) in [(REQUEST_ID, &line.id.0), (SERVED_BY, &line.replica.0)] {
        let value = HeaderValue::from_str(value).expect("both were checked to be visible ASCII");
        response.headers_mut().insert(name, value);
    }
    line.status = Some(response.status());
    Ok(response)
}

/// A request's line in the log. It is written when the request ends, with its answer or because its client has left.
struct LogLine {
    begun: Instant,
    method: Method,
    path: String,
    id: RequestId,
    replica: ReplicaName,
    status: Option<StatusCode>,
}

impl Drop for LogLine {
    fn drop(&mut self) {
        let Self { replica: ReplicaName(replica), id: RequestId(id), .. } = self;
        let (method, path) = (ClientText(&self.method), ClientText(&self.path));
        let milliseconds = self.begun.elapsed().as_secs_f64() * 1e3;
        match self.status {
            Some(status) => {
                let level = if is_of_no_interest(&self.path, status) { Level::Debug } else { Level::Info };
                log::log!(level, "{method} {path} {} {milliseconds:.1} ms {replica} {id}", status.as_u16());
            }
            None => {
                log::info!("{method} {path} dropped, its client left: {milliseconds:.1} ms {replica} {id}")
            }
        }
    }
}

/// The frequent requests: those of programs that watch over the replica, and those for a page's files. They are of no
/// interest while all is well.
fn is_of_no_interest(path: &str, status: StatusCode) -> bool {
    let is_frequent = matches!(path, "/health" | "/ready")
        || ["/static/", "/docs/"].iter().any(|folder| path.starts_with(folder));
    is_frequent && !status.is_client_error() && !status.is_server_error()
}
