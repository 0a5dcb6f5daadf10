//! One tab: opens pages, clicks, reads, and keeps what the browser reports meanwhile.

use std::sync::Arc;

use chromiumoxide::Page;
use chromiumoxide::cdp::IntoEventKind;
use chromiumoxide::cdp::browser_protocol::emulation::{
    SetDeviceMetricsOverrideParams, SetScriptExecutionDisabledParams,
};
use chromiumoxide::cdp::js_protocol::runtime::EvaluateParams;
use chromiumoxide::layout::Point;
use chromiumoxide::listeners::EventStream;
use flash_sale_testbed::testing::wait_until;
use futures::{FutureExt, StreamExt};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;

use crate::shop_page::{READ, ShopPage};

/// Says whether scripts run.
const SCRIPT_PROBE: &str =
    "data:text/html,<p>off</p><script>document.querySelector('p').textContent='on'</script>";

/// A tab. All methods panic when the browser doesn't do what it is told.
pub struct Tab {
    page: Page,
    unreadable: Arc<Mutex<Vec<String>>>,
}

/// Events of one kind, in the order the browser sent them.
pub struct Events<E: IntoEventKind>(EventStream<E>);

impl Tab {
    /// `unreadable` is where the connection puts what it can't read.
    pub fn new(page: Page, unreadable: Arc<Mutex<Vec<String>>>) -> Self {
        Self { page, unreadable }
    }

    /// Goes to `url` and waits until the page has loaded.
    pub async fn open(&self, url: &str) {
        self.page.goto(url).await.unwrap();
        let loaded = format!("location.href === {url:?} && document.readyState === 'complete'");
        wait_until(&format!("{url} has loaded"), async || self.is_true(&loaded).await).await;
    }

    /// Presses the middle of the element with the mouse.
    pub async fn click(&self, selector: &str) {
        let middle = self.middle_of(selector).await;
        self.press(middle).await;
    }

    /// Where the middle of the element is.
    pub async fn middle_of(&self, selector: &str) -> Point {
        let middle = format!(
            "(() => {{
                const box = document.querySelector({selector:?}).getBoundingClientRect();
                return [box.x + box.width / 2, box.y + box.height / 2];
            }})()"
        );
        let (x, y) = self.evaluate(&middle).await.unwrap_or_else(|| panic!("no {selector} in this page"));
        Point { x, y }
    }

    /// Presses what is at this point with the mouse.
    pub async fn press(&self, point: Point) {
        self.page.click(point).await.unwrap();
    }

    /// Waits until the tab shows a page of the shop that is as it should be, and returns it.
    pub async fn wait_for_page(&self, what: &str, is_it: impl Fn(&ShopPage) -> bool) -> ShopPage {
        let mut page = None;
        wait_until(what, async || {
            page = self.evaluate::<Option<ShopPage>>(READ).await.flatten().filter(&is_it);
            page.is_some()
        })
        .await;
        page.expect("just waited for")
    }

    /// Whether `expression` gives true. While the tab goes from page to page it doesn't.
    pub async fn is_true(&self, expression: &str) -> bool {
        self.evaluate(expression).await.unwrap_or(false)
    }

    /// What `expression` gives, in a page that may forbid its own scripts; `None` when that is not a `T`.
    pub async fn evaluate<T: DeserializeOwned>(&self, expression: &str) -> Option<T> {
        let mut parameters = EvaluateParams::new(expression);
        parameters.return_by_value = Some(true);
        let value = self.page.execute(parameters).await.ok()?.result.result.value?;
        serde_json::from_value(value).ok()
    }

    /// From the next page on, pages run no scripts.
    pub async fn switch_javascript_off(&self) {
        self.page.execute(SetScriptExecutionDisabledParams::new(true)).await.unwrap();
        self.page.goto(SCRIPT_PROBE).await.unwrap();
        wait_until("a page whose script doesn't run", async || {
            self.is_true("document.querySelector('p').textContent === 'off'").await
        })
        .await;
    }

    /// Makes the page as wide as a phone or a desktop, and waits until it is laid out so.
    pub async fn set_width(&self, width: i64) {
        let is_phone = width < 600;
        let parameters = SetDeviceMetricsOverrideParams::new(width, 900, 1.0, is_phone);
        self.page.execute(parameters).await.unwrap();
        // A desktop's scroll bar takes some of it.
        let laid_out = format!("Math.abs(document.documentElement.clientWidth - {width}) < 20");
        wait_until(&format!("the page is {width} px wide"), async || self.is_true(&laid_out).await).await;
    }

    /// Keeps the events of one kind from now on.
    pub async fn keep<E: IntoEventKind + Unpin>(&self) -> Events<E> {
        Events(self.page.event_listener().await.unwrap())
    }

    /// Has the browser report the page's errors and what it writes to the console.
    pub async fn report_errors(&self) {
        self.page.enable_log().await.unwrap();
        self.page.enable_runtime().await.unwrap();
    }
}

impl<E: IntoEventKind + Unpin> Events<E> {
    /// What has come since the last call. Whatever the page did before the last answer to [`Tab::evaluate`]
    /// is in it: the browser sends both over one connection, in order, and a test and its connection run on
    /// one thread.
    ///
    /// # Panics
    /// When one could not be read: the connection knows the messages of the browsers of its time, and would
    /// leave out what it doesn't know.
    pub fn take(&mut self, tab: &Tab) -> Vec<Arc<E>> {
        let start = format!("{{\"method\":\"{}\",", E::method_id());
        for message in tab.unreadable.lock().iter() {
            assert!(!message.starts_with(&start), "chromiumoxide can't read this: {message}");
        }
        std::iter::from_fn(|| self.0.next().now_or_never().flatten()).collect()
    }
}
