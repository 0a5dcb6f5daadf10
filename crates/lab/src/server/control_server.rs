//! Answers the commands of [`crate::control`].

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use flash_sale_testbed::reason::told;
use flash_sale_testbed::shop_process::Readiness;
use rustix::process::geteuid;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::lab::{Lab, open_supervisor, restart_failed, wait_until_open};
use super::lending::{lend, lend_distance};
use super::losing::lose_commit_answers;
use super::timeline;
use crate::control::messages::{DatabaseStop, Event, Request, Wanted};
use crate::control::{read_request, write_events};
use crate::progress::Stage;

/// How many commands may talk to the lab at once. People have a handful of terminals.
const MOST_CONNECTIONS: usize = 64;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long commands may take to read their last lines when everything has ended.
const LAST_LINES_LIMIT: Duration = Duration::from_secs(1);

/// Answers commands until the lab has stopped and the last answers are written.
pub(super) async fn serve(listener: UnixListener, lab: Arc<Lab>) {
    let mut connections = JoinSet::new();
    let stopped = lab.progress.wait_for(|stage| matches!(stage, Stage::Stopped(_)));
    tokio::pin!(stopped);
    loop {
        tokio::select! {
            () = &mut stopped => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => match refusal(&stream, connections.len()) {
                    None => { connections.spawn(answer(stream, Arc::clone(&lab))); }
                    Some(why) => refuse(stream, why),
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    let all_done = async { while connections.join_next().await.is_some() {} };
    let _ = timeout(LAST_LINES_LIMIT, all_done).await;
}

/// Why the lab does nothing for the process at the other end.
fn refusal(stream: &UnixStream, open: usize) -> Option<String> {
    // No other user can open the socket. If somebody has changed its mode, the other process must still run as our
    // user, or as root.
    let asks = stream.peer_cred().map(|peer| peer.uid());
    if !asks.is_ok_and(|user| user == geteuid().as_raw() || user == 0) {
        return Some("only the user who started the shop, and root, can give it commands".to_owned());
    }
    (open >= MOST_CONNECTIONS).then(|| {
        let pid = std::process::id();
        format!("{MOST_CONNECTIONS} commands talk to the shop already. Wait for one to end, or stop it: kill {pid}")
    })
}

/// Refuses a command, and doesn't wait for it: the first line has room in the kernel, and a command that doesn't read
/// it needs no answer.
fn refuse(stream: UnixStream, why: String) {
    log::warn!("control: {why}");
    let line = serde_json::to_string(&Event::Failed(why)).expect("an event is plain data");
    let _ = stream.into_std().and_then(|mut stream| stream.write_all(format!("{line}\n").as_bytes()));
}

async fn answer(mut stream: UnixStream, lab: Arc<Lab>) {
    let request = match read_request(&mut stream).await {
        Ok(request) => request,
        Err(error) => return refuse(stream, told(&error)),
    };
    let (reader, writer) = stream.split();
    let (events, receiver) = mpsc::unbounded_channel();
    let work = async {
        let last = match request {
            Request::Status => Event::Status(lab.status()),
            Request::WaitUntilOpen => match wait_until_open(&lab, &events).await {
                Event::Open(_) => lab.opened().await,
                other => other,
            },
            Request::Restart => replace(&lab, None, &events).await,
            Request::Run(wanted) => replace(&lab, Some(wanted), &events).await,
            Request::Lend(variables) => lend(&lab, variables, reader, &events).await,
            Request::LendDistance { milliseconds } => {
                lend_distance(&lab, milliseconds, reader, &events).await
            }
            Request::LoseCommitAnswers { one_in } => lose_commit_answers(&lab, one_in, reader, &events).await,
            Request::StopDatabase { seconds, how } => stop_database(&lab, seconds, how).await,
            Request::Stop => stop(&lab, &events).await,
            Request::Timeline { click, form } => timeline::answer(&lab, click, form).await,
        };
        let _ = events.send(last);
        drop(events);
    };
    tokio::join!(work, write_events(writer, receiver));
}

async fn replace(lab: &Lab, wanted: Option<Wanted>, events: &UnboundedSender<Event>) -> Event {
    let supervisor = match open_supervisor(lab, events).await {
        Ok(supervisor) => supervisor,
        Err(event) => return event,
    };
    let say = |line: String| {
        log::info!("{line}");
        let _ = events.send(Event::Line(line));
    };
    let replaced = match wanted {
        Some(wanted) => supervisor.run(wanted, &say).await,
        None => supervisor.restart(&say).await,
    };
    match replaced {
        Ok(Readiness::Ready) => Event::Done,
        Ok(Readiness::WithoutDatabase) => {
            lab.missing_database().await.map_or(Event::Done, Event::WithoutDatabase)
        }
        Err(error) => restart_failed(&error),
    }
}

async fn stop_database(lab: &Lab, seconds: u32, how: DatabaseStop) -> Event {
    let Some(database) = lab.database.get() else {
        return Event::Failed("the database has not started yet. Wait for it: make run".to_owned());
    };
    match database.interrupt(Duration::from_secs(seconds.into()), how).await {
        Ok(()) => Event::Done,
        Err(error) => Event::Failed(told(&error)),
    }
}

async fn stop(lab: &Lab, events: &UnboundedSender<Event>) -> Event {
    let heard = lab.progress.said();
    lab.progress.set_stage(Stage::Stopping);
    lab.progress.follow(heard, events, |stage| matches!(stage, Stage::Stopped(_))).await;
    Event::Done
}
