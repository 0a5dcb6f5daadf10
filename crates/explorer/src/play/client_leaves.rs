//! A client leaves while its purchase is under way.

use anyhow::bail;
use flash_sale_wiretap::line::WaitingStatement;
use tokio::time::timeout;

use super::{ALL_WAIT, Play};
use crate::act::Reply;

impl Play<'_> {
    /// The actor's client closes its connection. The replica has to notice it before the statement goes on: otherwise
    /// the schedule would go another way each time.
    pub(super) async fn leave(&mut self, actor: usize) -> anyhow::Result<()> {
        self.actors[actor].reply.get_or_insert_with(Reply::none);
        let (leave, request) = (self.actors[actor].leave.take(), self.actors[actor].request.take());
        if let Some((leave, request)) = leave.zip(request) {
            let _ = leave.send(());
            let _ = request.await;
            self.has_begun_what_follows(actor).await?;
        }
        Ok(())
    }

    /// Returns when the actor's replica has begun what it does by itself about a client that has left, such as giving a
    /// copy back. A replica has one thread. Once it has answered somebody else, the thread has been there.
    async fn has_begun_what_follows(&self, actor: usize) -> anyhow::Result<()> {
        for _ in 0..2 {
            self.stage.asks[actor].read("/api/strategies").await?;
        }
        Ok(())
    }

    /// Has a statement prepared, and returns it when it waits once more. A client that leaves before would take it along:
    /// PostgreSQL would not carry it out. On a connection that has prepared it already, it does.
    pub(super) async fn prepare(
        &mut self,
        index: usize,
        statement: WaitingStatement,
    ) -> anyhow::Result<WaitingStatement> {
        let connection = statement.connection;
        statement.prepare();
        loop {
            let happening = timeout(ALL_WAIT, self.stage.happenings.recv()).await;
            let Ok(Some(happening)) = happening else { bail!("a statement was not prepared in time") };
            self.take_in(happening)?;
            let waiting = &mut self.actors[index].waiting;
            let place = waiting.iter().position(|statement| statement.connection == connection);
            if let Some(statement) = place.and_then(|place| waiting.remove(place)) {
                return Ok(statement);
            }
        }
    }
}
