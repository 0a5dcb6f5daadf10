//! Takes in what happens while a schedule is played: statements that wait, answers, connections that end.

use flash_sale_wiretap::line::Passage;

use super::Play;
use crate::schedule::{Became, Note};
use crate::stage::Happening;

impl Play<'_> {
    /// Takes in what has happened. Returns whether that was anything.
    pub(super) fn take_in_all(&mut self) -> anyhow::Result<bool> {
        let mut is_anything = false;
        while let Ok(happening) = self.stage.happenings.try_recv() {
            self.take_in(happening)?;
            is_anything = true;
        }
        Ok(is_anything)
    }

    pub(super) fn take_in(&mut self, happening: Happening) -> anyhow::Result<()> {
        match happening {
            Happening::Replied { play, actor, reply } if play == self.stage.plays => {
                self.actors[actor].reply.get_or_insert(reply);
            }
            Happening::Replied { .. } => {}
            Happening::AtTurnstile(actor, Passage::Waiting(statement)) => {
                let Some(actor) = self.actors.get_mut(actor).filter(|actor| actor.is_sent) else {
                    statement.pass();
                    return Ok(());
                };
                actor.is_given_up = false;
                actor.waiting.push_back(statement);
                actor.pass_empty_rollbacks();
                if actor.waiting.len() > 1 {
                    self.notes.insert(Note::SeveralAtOnce);
                }
            }
            Happening::AtTurnstile(index, Passage::Answered(answered)) => {
                let Some(actor) = self.actors.get_mut(index) else { return Ok(()) };
                let place =
                    actor.in_flight.iter().position(|flight| flight.connection == answered.connection);
                let Some(place) = place else { return Ok(()) };
                let flight = actor.in_flight.remove(place);
                let connection = (flight.connection, flight.backend_pid);
                if answered.is_in_transaction {
                    actor.open.insert(connection);
                } else {
                    actor.open.remove(&connection);
                    actor.pass_empty_rollbacks();
                }
                let became = &mut self.steps[flight.step].became;
                match answered.error {
                    Some(error) => {
                        self.deadlocks += usize::from(error == "40P01");
                        *became = Became::Failed(error);
                    }
                    None if *became != Became::Waited => *became = Became::Done,
                    None => {}
                }
            }
            Happening::AtTurnstile(index, Passage::Ended(connection)) => {
                let Some(actor) = self.actors.get_mut(index) else { return Ok(()) };
                actor.open.retain(|(open, _)| *open != connection);
                actor.in_flight.retain(|flight| flight.connection != connection);
                actor.waiting.retain(|statement| statement.connection != connection);
            }
        }
        Ok(())
    }
}
