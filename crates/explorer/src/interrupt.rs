//! The schedule in which the first actor is interrupted: the second one does all that it can in between.

use crate::exploration::ExploreOptions;
use crate::play::play;
use crate::schedule::Schedule;
use crate::stage::Stage;

impl Stage {
    /// The first actor makes so many steps. Then the second one goes on as far as it can, and then the first one again.
    /// When the second one waits for the first one, it goes on as soon as it can.
    ///
    /// # Errors
    /// When the schedule can't be played: the requests wait for one another without end, or the database fails.
    pub async fn interrupt(&mut self, options: &ExploreOptions, steps: usize) -> anyhow::Result<Schedule> {
        let piece = self.piece(options).await?;
        play(self, &piece, |choice| {
            let made = choice.steps.iter().filter(|step| step.actor == 0).count();
            let wanted = usize::from(made >= steps);
            Ok(if choice.has(wanted) { wanted } else { choice.can_go_on[0].0 })
        })
        .await
    }
}
