//! Which request the code that runs now works for, so that each line in the log can say so without being told.
//! Whoever works for a request runs within its [`LogContext`]; a batch works for several.

use std::fmt;
use std::sync::{Arc, OnceLock};

use uuid::Uuid;

tokio::task_local! {
    static CONTEXT: LogContext;
}

/// What finds a line of the log again. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct LogContext {
    requests: Arc<[Arc<str>]>,
    product: Arc<OnceLock<Uuid>>,
}

impl LogContext {
    /// The context of the request with this id.
    pub fn of_request(id: &str) -> Self {
        Self { requests: Arc::new([id.into()]), product: Arc::default() }
    }

    /// One for what is done for all of these together.
    pub(crate) fn of_all<'a>(contexts: impl IntoIterator<Item = &'a Self>) -> Self {
        let requests = contexts.into_iter().flat_map(|context| context.requests.iter().cloned()).collect();
        Self { requests, product: Arc::default() }
    }

    /// The context of the code that runs now. Of what nobody has asked for, such as cleaning up, it is empty.
    pub fn current() -> Self {
        CONTEXT.try_with(Self::clone).unwrap_or_default()
    }

    /// Runs what is done for the request.
    pub async fn follow<F: Future>(&self, work: F) -> F::Output {
        CONTEXT.scope(self.clone(), work).await
    }

    /// From now on the request is known to be about this product.
    pub fn set_product(&self, id: Uuid) {
        // It stays the first one: a request is about one product.
        let _ = self.product.set(id);
    }

    /// Whether no request is behind it.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }
}

/// `request 0caf167f, product 9981a218`, with the whole ids, and more of them for a batch.
impl fmt::Display for LogContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.requests.len() == 1 { "request" } else { "requests" })?;
        for id in &*self.requests {
            write!(formatter, " {id}")?;
        }
        match self.product.get() {
            Some(id) => write!(formatter, ", product {id}"),
            None => Ok(()),
        }
    }
}
