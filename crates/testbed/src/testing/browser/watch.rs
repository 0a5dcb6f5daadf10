//! What a visitor of a page doesn't see: errors, refused content, requests that leave the site.

use serde_json::Value;

use super::devtools::Events;
use super::tab::Tab;

/// Keeps what the browser reports about the pages of a tab.
pub struct Watch {
    exceptions: Events,
    console: Events,
    log: Events,
    requests: Events,
}

impl Watch {
    /// Watches the tab from now on.
    pub async fn start(tab: &Tab) -> Self {
        Self {
            exceptions: tab.keep("Runtime.exceptionThrown").await,
            console: tab.keep("Runtime.consoleAPICalled").await,
            log: tab.keep("Log.entryAdded").await,
            requests: tab.keep("Network.requestWillBeSent").await,
        }
    }

    /// Asserts that, since the last call, the tab has asked only the site at this URL, and that nothing was reported
    /// but one failure to load each of `missing`.
    ///
    /// # Panics
    /// When anything else was asked for or reported.
    pub async fn assert_quiet(&self, tab: &Tab, site: &str, missing: &[&str]) {
        // Its answer comes after all reports of what the page has done.
        let page: String = tab.evaluate("location.href").await.expect("a page");

        let requests = self.requests.take();
        assert!(!requests.is_empty(), "{page}: the browser reports its requests");
        for request in requests {
            let url = request["request"]["url"].as_str().expect("the protocol says so");
            let is_ours = url.starts_with(&format!("{site}/")) || url.starts_with("data:");
            assert!(is_ours, "{page} asks for {url}");
        }
        let mut failures = Vec::new();
        for event in self.log.take() {
            let entry = &event["entry"];
            let text = entry["text"].as_str().expect("the protocol says so");
            match entry["url"].as_str() {
                Some(url) if text.contains("404") => failures.push(url.to_owned()),
                _ if entry["level"] == "verbose" => {}
                _ => panic!("{page}: {entry:?}"),
            }
        }
        assert_eq!(failures, missing, "{page}");
        assert_eq!(self.exceptions.take(), Vec::<Value>::new(), "{page}");
        assert_eq!(self.console.take(), Vec::<Value>::new(), "{page}");
    }
}
