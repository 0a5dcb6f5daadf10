//! What a person is told once the replicas run: where the shop is. If the shop can't use its database, the person is
//! told why, and what to do.

use super::lab::Lab;
use crate::control::messages::Event;
use crate::database::trouble::advice;

impl Lab {
    /// Asks the replicas now: the database may have come or gone since they were started.
    pub(super) async fn opened(&self) -> Event {
        match self.missing_database().await {
            None => Event::Open(self.reach.url.clone()),
            Some(message) => Event::WithoutDatabase(message),
        }
    }

    /// `None` when all replicas can sell; otherwise, what to tell a person.
    pub(super) async fn missing_database(&self) -> Option<String> {
        let (supervisor, database) = (self.supervisor.get()?, self.database.get()?);
        if supervisor.are_ready().await {
            return None;
        }
        // We log in as the replicas do, because their answers don't say the reason.
        let reason = database.why_unusable().await;
        let reason = reason.unwrap_or_else(|| {
            "it answers this program, but a replica got no answer within a second".to_owned()
        });
        let url = &self.reach.url;
        let advice = advice(&database.status(), &reason);
        Some(format!("the shop is up at {url}, but without its database: {reason}\n{advice}"))
    }
}
