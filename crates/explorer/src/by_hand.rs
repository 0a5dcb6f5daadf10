//! Plays the steps that a person has chosen, looks at the database after each of them, and stops where the person
//! stands.
//!
//! A purchase can't be held while a person thinks: the shop's own limits end it after a few seconds, and they are a part
//! of what is explored. So nothing is held between two of the person's steps. Each further step plays all steps from the
//! beginning, which takes milliseconds, and what they do is the same each time.

use std::sync::{Arc, Mutex, PoisonError};

use flash_sale_wiretap::trace::Transaction;
use tokio::sync::Mutex as AsyncMutex;

use crate::act::Reply;
use crate::exploration::ExploreOptions;
use crate::look::{Look, Next, Observer};
use crate::outcome::Outcome;
use crate::play::{Choice, play_with};
use crate::schedule::{NotPossible, Step};
use crate::stage::Stage;

/// More transactions than a schedule has.
const MOST_TRANSACTIONS: usize = 500;

/// What is to be played.
#[derive(Clone, Debug)]
pub struct HandPlay {
    /// The indexes of the actors that go on, one for each step.
    pub steps: Vec<usize>,
    /// So many of these steps must be possible as they are. After them, a step that is not possible is left to another
    /// actor.
    pub fixed: usize,
    /// Whether the actors go on after these steps, one after the other, until all are done. Otherwise what comes after
    /// the steps is played, and not told.
    pub is_to_the_end: bool,
}

/// What was played.
#[derive(Clone, Debug)]
pub struct Played {
    /// The steps.
    pub steps: Vec<Step>,
    /// What was seen before the first step and after each step.
    pub looks: Vec<Look>,
    /// What passed the wire, in any order. Transactions are open where the person stands.
    pub transactions: Vec<Transaction>,
    /// What each actor was answered. `None`: it has not been answered yet.
    pub replies: Vec<Option<Reply>>,
    /// What came of it. `None`: not all actors are done.
    pub outcome: Option<Outcome>,
}

/// What was seen so far.
#[derive(Default)]
struct Seen {
    looks: Vec<Look>,
    /// The steps and the transactions where the person stands.
    stands: Option<(Vec<Step>, Vec<Transaction>)>,
    /// The first step that was not possible. The play goes on to its end, so that nothing is left held.
    not_possible: Option<NotPossible>,
}

impl Stage {
    /// Plays these steps.
    ///
    /// # Errors
    /// [`NotPossible`], or one of the errors of [`crate::explore`].
    pub async fn play_by_hand(
        &mut self,
        options: &ExploreOptions,
        wanted: &HandPlay,
    ) -> anyhow::Result<Played> {
        let piece = self.piece(options).await?;
        let (recorder, product) = (self.recorder().clone(), piece.product);
        let observer = Observer::connect(&self.owner_url()).await?;
        let observer = Arc::new(AsyncMutex::new(observer));
        let before = recorder.newest_number();
        let transactions = || -> Vec<Transaction> {
            let mut all = recorder.all(MOST_TRANSACTIONS);
            all.retain(|transaction| transaction.number > before && !transaction.only_cleans());
            all
        };
        let seen = Arc::new(Mutex::new(Seen::default()));
        let schedule = play_with(self, &piece, |choice| {
            let at = choice.steps.len();
            let is_told = wanted.is_to_the_end || at <= wanted.steps.len();
            let (actor, next) = (choose(choice, wanted), next(choice));
            {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                if at == wanted.steps.len() && !wanted.is_to_the_end {
                    seen.stands = Some((choice.steps.to_vec(), transactions()));
                }
                if at < wanted.fixed && wanted.steps.get(at).is_some_and(|wanted| *wanted != actor) {
                    let not_possible = NotPossible { step: at + 1, actor: wanted.steps[at] };
                    seen.not_possible.get_or_insert(not_possible);
                }
            }
            let (observer, seen) = (Arc::clone(&observer), Arc::clone(&seen));
            async move {
                if is_told {
                    let look = observer.lock().await.look(product, next).await?;
                    seen.lock().unwrap_or_else(PoisonError::into_inner).looks.push(look);
                }
                Ok(actor)
            }
        })
        .await?;
        let Seen { mut looks, stands, not_possible } = take(&seen);
        if let Some(not_possible) = not_possible {
            return Err(not_possible.into());
        }
        let made = schedule.steps.len();
        if let Some(actor) = wanted.steps.get(made).filter(|_| wanted.fixed > made) {
            return Err(NotPossible { step: made + 1, actor: *actor }.into());
        }
        let Some((steps, transactions)) = stands else {
            looks.push(observer.lock().await.look(product, Vec::new()).await?);
            let replies = schedule.replies.into_iter().map(Some).collect();
            let (steps, outcome) = (schedule.steps, Some(schedule.outcome));
            return Ok(Played { steps, looks, transactions: transactions(), replies, outcome });
        };
        let goes_on = |actor: usize| {
            let last = looks.last();
            last.is_some_and(|look| {
                look.next.iter().any(|next| next.actor == actor)
                    || look.waits.iter().any(|(it, _)| *it == actor)
            })
        };
        let replies = schedule.replies.into_iter().enumerate();
        let replies = replies.map(|(actor, reply)| (!goes_on(actor)).then_some(reply)).collect();
        Ok(Played { steps, looks, transactions, replies, outcome: None })
    }
}

fn next(choice: &Choice<'_>) -> Vec<Next> {
    choice.can_go_on.iter().map(|(actor, sql, _)| Next { actor: *actor, sql: Arc::clone(sql) }).collect()
}

fn choose(choice: &Choice<'_>, wanted: &HandPlay) -> usize {
    let can = |actor: &usize| choice.has(*actor);
    let wanted = wanted.steps.get(choice.steps.len()).copied();
    // The same actor goes on as long as it can, so that there are few switches.
    let last = choice.steps.last().map(|step| step.actor);
    wanted.filter(can).or(last.filter(can)).unwrap_or(choice.can_go_on[0].0)
}

fn take(seen: &Mutex<Seen>) -> Seen {
    std::mem::take(&mut seen.lock().unwrap_or_else(PoisonError::into_inner))
}
