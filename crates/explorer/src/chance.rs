//! What chance has a part in: a purchase by `stock_buckets` takes from a bucket at random. The explorer chooses in the place
//! of chance (`database.rs`), and plays all schedules again for each of its choices.

use std::time::Instant;

use crate::every_trouble::explore_trouble;
use crate::exploration::{Exploration, ExploreOptions, explore};
use crate::schedule::Schedule;
use crate::stage::Stage;
use crate::trouble::TroubleKind;

impl ExploreOptions {
    /// All that chance may choose for the actors: each choice for each of them. There is one, and it is empty, where chance
    /// has no part.
    pub fn all_dice(&self) -> Vec<Vec<usize>> {
        let choices = self.choices();
        if choices < 2 {
            return vec![Vec::new()];
        }
        let longer = |dice: &Vec<usize>| -> Vec<Vec<usize>> {
            (0..choices).map(|choice| [&dice[..], &[choice]].concat()).collect()
        };
        self.acts.iter().fold(vec![Vec::new()], |known, _| known.iter().flat_map(longer).collect())
    }

    /// How many choices chance has at first: the buckets that are not empty.
    pub(crate) fn choices(&self) -> usize {
        self.buckets().min(usize::try_from(self.stock).unwrap_or(usize::MAX)).max(1)
    }

    /// Over how many buckets the stock is spread. With a bucket for each actor, all of them may meet, and none may meet.
    pub(crate) fn buckets(&self) -> usize {
        if self.strategy() == Some("stock_buckets") { self.acts.len() } else { 0 }
    }
}

/// Plays all schedules, whatever chance may choose. `kind`: with this trouble, once at each of the first actor's
/// statements, unless the options say at which.
///
/// # Errors
/// The same as those of [`explore`].
pub async fn explore_all_dice(
    stage: &mut Stage,
    options: &ExploreOptions,
    kind: Option<TroubleKind>,
    advance: &(dyn Fn(&Exploration, &Schedule) + Send + Sync),
) -> anyhow::Result<Exploration> {
    let (began, mut all) = (Instant::now(), Vec::new());
    for dice in options.all_dice() {
        let time_limit = options.time_limit.saturating_sub(began.elapsed());
        let options = ExploreOptions { dice, time_limit, ..options.clone() };
        match kind.filter(|_| options.trouble.is_none()) {
            Some(kind) => all.extend(explore_trouble(stage, &options, kind, advance).await?),
            None => all.push(explore(stage, &options, advance).await?),
        }
    }
    Ok(Exploration::of_all(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_chooses_a_filled_bucket_for_each_purchase() {
        let two = |strategy, stock| ExploreOptions::of_purchases(Some(strategy), 2, stock).all_dice();

        let no_part = [Vec::<usize>::new()];
        assert_eq!(two("stock_buckets", 1), no_part, "the only copy is in one bucket");
        assert_eq!(two("stock_buckets", 9), [[0, 0], [0, 1], [1, 0], [1, 1]]);
        assert_eq!(two("pessimistic", 9), no_part);
        assert_eq!(ExploreOptions::of_purchases(Some("stock_buckets"), 3, 3).all_dice().len(), 27);
    }
}
