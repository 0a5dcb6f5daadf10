//! The request that the running code works for, so that each line of the log can name it. Code that works for a request
//! runs within the request's [`LogContext`]. A batch works for several requests.

use std::fmt;
use std::sync::{Arc, OnceLock};

use uuid::Uuid;

tokio::task_local! {
    static CONTEXT: LogContext;
}

/// The ids by which a line of the log is found. Clones share them.
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

    /// The context of work for several requests together.
    pub(crate) fn of_all<'a>(contexts: impl IntoIterator<Item = &'a Self>) -> Self {
        let requests = contexts.into_iter().flat_map(|context| context.requests.iter().cloned()).collect();
        Self { requests, product: Arc::default() }
    }

    /// The context of the code that runs now. It is empty for work that no request has asked for, such as cleaning up.
    pub fn current() -> Self {
        CONTEXT.try_with(Self::clone).unwrap_or_default()
    }

    /// Runs work for the request.
    pub async fn follow<F: Future>(&self, work: F) -> F::Output {
        CONTEXT.scope(self.clone(), work).await
    }

    /// From now on the request is known to be about this product.
    pub fn set_product(&self, id: Uuid) {
        // It stays the first one: a request is about one product.
        let _ = self.product.set(id);
    }

    /// Whether the work is for no request.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }
}

/// `request 0caf167f, product 9981a218`, with whole ids. A batch has several requests.
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
