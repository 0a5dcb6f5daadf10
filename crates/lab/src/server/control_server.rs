//! Answers the commands of [`crate::control`].

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Lab;
use crate::control::{Event, Request, read_request, write_events};
use crate::progress::Stage;
use crate::settings::ShopVariables;
use crate::supervisor::Supervisor;

const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// For commands that still read their last lines when everything has ended.
const LAST_LINES_LIMIT: Duration = Duration::from_secs(1);

/// Answers until the lab has stopped, and the last answers are written.
pub(super) async fn serve(listener: UnixListener, lab: Arc<Lab>) {
    let mut connections = JoinSet::new();
    let stopped = lab.progress.wait_for(|stage| matches!(stage, Stage::Stopped(_)));
    tokio::pin!(stopped);
    loop {
        tokio::select! {
            () = &mut stopped => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(answer(stream, Arc::clone(&lab))); }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    let all_done = async { while connections.join_next().await.is_some() {} };
    let _ = timeout(LAST_LINES_LIMIT, all_done).await;
}

async fn answer(mut stream: UnixStream, lab: Arc<Lab>) {
    let (mut reader, writer) = stream.split();
    let request = match read_request(&mut reader).await {
        Ok(request) => request,
        Err(error) => return log::warn!("control: {error:#}"),
    };
    let (events, receiver) = mpsc::unbounded_channel();
    let work = async {
        let last = match request {
            Request::Status => Event::Status(lab.status()),
            Request::WaitUntilOpen => wait_until_open(&lab, &events).await,
            Request::Restart(changed) => restart(&lab, changed, &events).await,
            Request::Lend(variables) => lend(&lab, variables, reader, &events).await,
            Request::StopDatabase { seconds, how } => match lab.database.get() {
                Some(database) => match database.stop_for(seconds, how).await {
                    Ok(()) => Event::Done,
                    Err(error) => Event::Failed(format!("{error:#}")),
                },
                None => Event::Failed("the lab is still starting. Ask again in a moment".to_owned()),
            },
            Request::Stop => stop(&lab, &events).await,
        };
        let _ = events.send(last);
        drop(events);
    };
    tokio::join!(work, write_events(writer, receiver));
}

async fn wait_until_open(lab: &Lab, events: &UnboundedSender<Event>) -> Event {
    let is_end = |stage: &Stage| matches!(stage, Stage::Open(_) | Stage::Stopped(_));
    // To somebody who comes when it is open, its start is no news.
    let heard = if lab.progress.stage() == Stage::Starting { 0 } else { lab.progress.said() };
    match lab.progress.follow(heard, events, is_end).await {
        Stage::Open(url) => Event::Open(url),
        Stage::Stopped(Some(reason)) => Event::Failed(reason),
        _ => Event::Done,
    }
}

async fn restart(lab: &Lab, changed: ShopVariables, events: &UnboundedSender<Event>) -> Event {
    let supervisor = match open_supervisor(lab, events).await {
        Ok(supervisor) => supervisor,
        Err(event) => return event,
    };
    let say = |line: String| {
        log::info!("{line}");
        let _ = events.send(Event::Line(line));
    };
    match supervisor.restart(changed, &say).await {
        Ok(()) => Event::Done,
        Err(error) => restart_failed(&error),
    }
}

/// Answers twice: when the replicas run with `variables` and, once the other side has gone, when they run
/// without.
async fn lend(
    lab: &Lab,
    variables: ShopVariables,
    mut borrower: impl AsyncRead + Unpin,
    events: &UnboundedSender<Event>,
) -> Event {
    let supervisor = match open_supervisor(lab, events).await {
        Ok(supervisor) => supervisor,
        Err(event) => return event,
    };
    let _turn = supervisor.loan_turn().await;
    let lent = supervisor.lend(variables).await;
    if lent.is_ok() {
        let _ = events.send(Event::Done);
        let stopping = lab.progress.wait_for(|stage| matches!(stage, Stage::Stopping | Stage::Stopped(_)));
        tokio::select! {
            // It says nothing more: this is its end.
            _ = borrower.read_u8() => {}
            () = stopping => return Event::Done,
        }
    }
    match lent.and(supervisor.take_back().await) {
        Ok(()) => Event::Done,
        Err(error) => restart_failed(&error),
    }
}

async fn open_supervisor<'a>(lab: &'a Lab, events: &UnboundedSender<Event>) -> Result<&'a Supervisor, Event> {
    match wait_until_open(lab, events).await {
        Event::Open(_) => {}
        Event::Done => return Err(Event::Failed("the lab was stopped. Start it: make run".to_owned())),
        failed => return Err(failed),
    }
    lab.supervisor.get().ok_or_else(|| Event::Failed("nothing to restart".to_owned()))
}

fn restart_failed(error: &anyhow::Error) -> Event {
    log::error!("restart: {error:#}");
    Event::Failed(format!("{error:#}\nThe replicas that ran before go on as they were."))
}

async fn stop(lab: &Lab, events: &UnboundedSender<Event>) -> Event {
    let heard = lab.progress.said();
    lab.progress.set_stage(Stage::Stopping);
    lab.progress.follow(heard, events, |stage| matches!(stage, Stage::Stopped(_))).await;
    Event::Done
}
