//! `GET /events`: tells a page that there is something new (server-sent events). The page then asks for itself again.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data};
use futures::stream::{self, Stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

use crate::problem::Problem;
use crate::source::Source;

/// Pages that are told at once. Each further page is refused, and its browser tries again later.
pub const MOST_STREAMS: usize = 32;
/// Events come at most so often: a click is many transactions.
const BETWEEN_EVENTS: Duration = Duration::from_millis(250);
/// A line without a meaning is sent so often. So a page that is gone is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The places of the streams.
#[derive(Clone)]
pub struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST_STREAMS)))
    }
}

/// Sends the number of the newest news at once, and again whenever it changes.
pub async fn stream(source: Data<Source>, places: Data<Places>) -> Result<HttpResponse, Problem> {
    let place = Arc::clone(&places.0).try_acquire_owned().map_err(|_| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Too many pages are open. Close one, and try again")
    })?;
    Ok(HttpResponse::Ok().content_type("text/event-stream").streaming(events(source.news(), place)))
}

fn events(
    news: watch::Receiver<u64>,
    place: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    // The place is given back when the stream is dropped.
    stream::unfold((news, place, true), async |(mut news, place, is_first)| {
        let line = if is_first {
            format!("retry: 1000\n{}", event(&mut news))
        } else {
            match timeout(KEEP_ALIVE, news.changed()).await {
                Err(_) => ":\n\n".to_owned(),
                Ok(Ok(())) => {
                    sleep(BETWEEN_EVENTS).await;
                    event(&mut news)
                }
                // Nobody will say anything any more.
                Ok(Err(_)) => return None,
            }
        };
        Some((Ok(Bytes::from(line)), (news, place, false)))
    })
}

fn event(news: &mut watch::Receiver<u64>) -> String {
    format!("event: news\ndata: {}\n\n", *news.borrow_and_update())
}
