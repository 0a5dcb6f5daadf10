//! Has the wiretap lose answers to COMMIT, until the command that asked for it is gone.

use std::num::NonZeroUsize;

use flash_sale_wiretap::line::AnswerLoss;
use tokio::io::AsyncRead;
use tokio::sync::mpsc::UnboundedSender;

use super::lab::{Lab, open_supervisor};
use super::lending::wait_until_given_back;
use crate::control::messages::Event;
use crate::wording::NO_WIRETAP;

/// Answers twice: when the loss begins and, after the other side has gone, with the number of answers that were lost.
pub(super) async fn lose_commit_answers(
    lab: &Lab,
    one_in: NonZeroUsize,
    borrower: impl AsyncRead + Unpin,
    events: &UnboundedSender<Event>,
) -> Event {
    if let Err(event) = open_supervisor(lab, events).await {
        return event;
    }
    let Some(wiretap) = lab.wiretap.get() else {
        return Event::Failed(NO_WIRETAP.to_owned());
    };
    let _turn = lab.losing.lock().await;
    let losses: Vec<AnswerLoss> = wiretap.lines().map(|line| line.lose_commit_answers(one_in)).collect();
    let _ = events.send(Event::Done);
    wait_until_given_back(lab, borrower).await;
    Event::LostAnswers(losses.into_iter().map(AnswerLoss::end).sum())
}
