//! Lends variables, or a distance to the database. The replicas run with them until the borrower gives them back or is
//! gone.

use std::time::Duration;

use flash_sale_testbed::reason::told;
use flash_sale_testbed::shop_settings::ShopVariables;
use flash_sale_wiretap::Wiretap;
use flash_sale_wiretap::line::Line;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc::UnboundedSender;

use super::lab::Lab;
use super::lab::{open_supervisor, restart_failed};
use crate::control::messages::Event;
use crate::progress::Stage;
use crate::supervisor::{Lent, Supervisor};

/// Answers twice: when the replicas run with `variables` and, after the other side has gone, when they run without
/// them.
pub(super) async fn lend(
    lab: &Lab,
    variables: ShopVariables,
    borrower: impl AsyncRead + Unpin,
    events: &UnboundedSender<Event>,
) -> Event {
    match open_supervisor(lab, events).await {
        Ok(supervisor) => {
            lend_until_given_back(lab, supervisor, Lent::Variables, variables, borrower, events).await
        }
        Err(event) => event,
    }
}

/// As [`lend`], but lends distance: the replicas reach the database through a line with a delay. That is the wiretap,
/// where there is one.
pub(super) async fn lend_distance(
    lab: &Lab,
    milliseconds: u32,
    borrower: impl AsyncRead + Unpin,
    events: &UnboundedSender<Event>,
) -> Event {
    let supervisor = match open_supervisor(lab, events).await {
        Ok(supervisor) => supervisor,
        Err(event) => return event,
    };
    let delay = Duration::from_millis(milliseconds.into());
    if let Some(wiretap) = lab.wiretap.get() {
        return delay_wiretap(lab, supervisor, wiretap, delay, borrower, events).await;
    }
    let database = lab.database.get().expect("replicas run on one");
    let (line, url) = match Line::to(database.urls().shop.reveal()) {
        Ok(opened) => opened,
        Err(error) => return Event::Failed(told(&error)),
    };
    line.set_delay(delay);
    let variables = ShopVariables::from([("DATABASE_URL".to_owned(), url)]);
    let last = lend_until_given_back(lab, supervisor, Lent::Line, variables, borrower, events).await;
    match last {
        // At the lab's end, the replicas still answer what they have accepted, and need the line for that.
        Event::Done if is_stopping(&lab.progress.stage()) => {
            lab.progress.wait_for(|stage| matches!(stage, Stage::Stopped(_))).await;
        }
        Event::Done => {}
        // A replica that could not be replaced needs the line for good.
        _ => {
            line.set_delay(Duration::ZERO);
            std::mem::forget(line);
        }
    }
    last
}

/// No replica is replaced: the replicas' connections lead through the wiretap already. So the wiretap also records what
/// passes on a far database.
async fn delay_wiretap(
    lab: &Lab,
    supervisor: &Supervisor,
    wiretap: &Wiretap,
    delay: Duration,
    borrower: impl AsyncRead + Unpin,
    events: &UnboundedSender<Event>,
) -> Event {
    let _turn = supervisor.loan_turn(Lent::Line).await;
    let set_delay = |delay| wiretap.lines().for_each(|line| line.set_delay(delay));
    set_delay(delay);
    let _ = events.send(Event::Done);
    wait_until_given_back(lab, borrower).await;
    set_delay(Duration::ZERO);
    Event::Done
}

async fn lend_until_given_back(
    lab: &Lab,
    supervisor: &Supervisor,
    what: Lent,
    variables: ShopVariables,
    borrower: impl AsyncRead + Unpin,
    events: &UnboundedSender<Event>,
) -> Event {
    let _turn = supervisor.loan_turn(what).await;
    let lent = supervisor.lend(what, variables).await;
    if lent.is_ok() {
        let _ = events.send(Event::Done);
        if wait_until_given_back(lab, borrower).await == Ended::ByLab {
            return Event::Done;
        }
    }
    match lent.and(supervisor.take_back(what).await) {
        Ok(()) => Event::Done,
        Err(error) => restart_failed(&error),
    }
}

/// What ends a loan.
#[derive(PartialEq, Eq)]
pub(super) enum Ended {
    /// The borrower has given it back, or is gone.
    ByBorrower,
    /// The lab stops.
    ByLab,
}

/// Waits for the end of a loan.
pub(super) async fn wait_until_given_back(lab: &Lab, mut borrower: impl AsyncRead + Unpin) -> Ended {
    tokio::select! {
        // The borrower says nothing more: this is its end.
        _ = borrower.read_u8() => Ended::ByBorrower,
        () = lab.progress.wait_for(is_stopping) => Ended::ByLab,
    }
}

fn is_stopping(stage: &Stage) -> bool {
    matches!(stage, Stage::Stopping | Stage::Stopped(_))
}
