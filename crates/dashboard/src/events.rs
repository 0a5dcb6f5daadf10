//! `GET /events`: tells a page that there is something new (server-sent events). The page then asks for itself again.
//! `GET /events/state` tells it every second: there, something may be new at any time.

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
use crate::runs::Runs;
use crate::source::Source;
use crate::state_watch::KEPT_FOR;

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
    let place = places.take()?;
    Ok(streaming(events(source.news(), place)))
}

/// The same of the checks and races.
pub async fn runs(runs: Data<Runs>, places: Data<Places>) -> Result<HttpResponse, Problem> {
    let place = places.take()?;
    Ok(streaming(events(runs.news(), place)))
}

/// Sends a number every second.
pub async fn ticks(places: Data<Places>) -> Result<HttpResponse, Problem> {
    let place = places.take()?;
    let ticks = stream::unfold((0_u64, place), async |(count, place)| {
        let line = if count == 0 {
            "retry: 1000\n\n".to_owned()
        } else {
            sleep(KEPT_FOR).await;
            format!("event: news\ndata: {count}\n\n")
        };
        Some((Ok(Bytes::from(line)), (count + 1, place)))
    });
    Ok(streaming(ticks))
}

impl Places {
    fn take(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.0).try_acquire_owned().map_err(|_| {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "Too many pages are open. Close one, and try again")
        })
    }
}

fn streaming(events: impl Stream<Item = Result<Bytes, Infallible>> + 'static) -> HttpResponse {
    HttpResponse::Ok().content_type("text/event-stream").streaming(events)
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
