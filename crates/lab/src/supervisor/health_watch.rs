//! Asks a process again and again whether it answers. A process that lives but doesn't answer is frozen: stopped by a
//! signal, held by a debugger, or stuck.

use std::net::SocketAddr;
use std::time::Duration;

use flash_sale_testbed::http::answers_ok_within;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// The time between two questions to a replica whether it answers. A frozen replica leaves two of them without an
/// answer. With this time and `HEALTH_TIMEOUT`, it is left out of the gateway's turn after 2.5 s at the latest.
pub const HEALTH_INTERVAL: Duration = Duration::from_millis(250);
/// How long an answer may take. /health waits for nothing, and answers within 50 ms.
pub const HEALTH_TIMEOUT: Duration = Duration::from_secs(1);

/// After so many questions in a row without an answer, a process counts as frozen. A single one may only mean that the
/// machine is busy.
const MOST_UNANSWERED: u32 = 2;

/// Watches a process, as long as this value lives.
pub(super) struct HealthWatch {
    answers: watch::Receiver<bool>,
    task: JoinHandle<()>,
}

impl HealthWatch {
    /// Watches a process that answers now.
    pub(super) fn start(address: SocketAddr) -> Self {
        let (sender, answers) = watch::channel(true);
        let task = tokio::spawn(async move {
            let url = format!("http://{address}/health");
            let mut unanswered = 0;
            loop {
                sleep(HEALTH_INTERVAL).await;
                unanswered = if answers_ok_within(HEALTH_TIMEOUT, &url).await { 0 } else { unanswered + 1 };
                let is_well = unanswered < MOST_UNANSWERED;
                sender.send_if_modified(|before| std::mem::replace(before, is_well) != is_well);
            }
        });
        Self { answers, task }
    }

    /// Waits until the process begins to answer, or stops answering, and returns whether it answers now.
    pub(super) async fn changed(&mut self) -> bool {
        if self.answers.changed().await.is_err() {
            // Its task never ends by itself.
            std::future::pending::<()>().await;
        }
        *self.answers.borrow_and_update()
    }
}

impl Drop for HealthWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}
