//! One tab: opens pages, clicks, types, reads, and keeps what the browser reports meanwhile.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::devtools::{Events, Session};
use crate::testing::wait::wait_until;

/// Says whether scripts run.
const SCRIPT_PROBE: &str =
    "data:text/html,<p>off</p><script>document.querySelector('p').textContent='on'</script>";

/// A tab. All methods panic when the browser doesn't do what it is told.
pub struct Tab {
    session: Session,
    /// What has become of each page that is being loaded.
    life: Events,
}

/// A place in the page, in CSS pixels from the window's upper left corner.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// To the right.
    pub x: f64,
    /// Downwards.
    pub y: f64,
}

/// A key of the keyboard.
#[derive(Clone, Copy, Debug)]
pub enum Key {
    /// Goes to the next element.
    Tab,
    /// Presses the element that has the focus.
    Enter,
}

impl Tab {
    pub(super) async fn new(session: Session) -> Self {
        let life = session.keep("Page.lifecycleEvent");
        session.command("Page.enable", json!({})).await;
        session.command("Page.setLifecycleEventsEnabled", json!({ "enabled": true })).await;
        Self { session, life }
    }

    /// Goes to `url` and waits until the page has loaded.
    pub async fn open(&self, url: &str) {
        self.go_to(url).await;
        let loaded = format!("location.href === {url:?} && document.readyState === 'complete'");
        wait_until(&format!("{url} has loaded"), async || self.is_true(&loaded).await).await;
    }

    /// Presses the middle of the element with the mouse.
    pub async fn click(&self, selector: &str) {
        let middle = self.middle_of(selector).await;
        self.press(middle).await;
    }

    /// Where the middle of the element is, once the page has loaded: before its styles are there, an element stands
    /// somewhere else.
    pub async fn middle_of(&self, selector: &str) -> Point {
        let loaded = "document.readyState === 'complete'";
        wait_until("the page has loaded", async || self.is_true(loaded).await).await;
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
    pub async fn press(&self, Point { x, y }: Point) {
        self.mouse(json!({ "type": "mouseMoved", "x": x, "y": y })).await;
        for part in ["mousePressed", "mouseReleased"] {
            self.mouse(json!({ "type": part, "x": x, "y": y, "button": "left", "clickCount": 1 })).await;
        }
    }

    /// Presses a key.
    pub async fn press_key(&self, key: Key) {
        let (name, code, text) = match key {
            Key::Tab => ("Tab", 9, ""),
            Key::Enter => ("Enter", 13, "\r"),
        };
        for part in ["keyDown", "keyUp"] {
            let text = if part == "keyDown" { text } else { "" };
            let event = json!({ "type": part, "key": name, "code": name, "windowsVirtualKeyCode": code, "text": text });
            self.session.command("Input.dispatchKeyEvent", event).await;
        }
    }

    /// Whether `expression` gives true. While the tab goes from page to page it doesn't.
    pub async fn is_true(&self, expression: &str) -> bool {
        self.evaluate(expression).await.unwrap_or(false)
    }

    /// What `expression` gives, in a page that may forbid its own scripts; `None` when that is not a `T`. The value of a
    /// promise is waited for.
    pub async fn evaluate<T: DeserializeOwned>(&self, expression: &str) -> Option<T> {
        let parameters = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let mut answer = self.session.try_command("Runtime.evaluate", parameters).await.ok()?;
        if answer.get("exceptionDetails").is_some() {
            return None;
        }
        let value = answer["result"].get_mut("value").map(Value::take)?;
        serde_json::from_value(value).ok()
    }

    /// From the next page on, pages run no scripts.
    pub async fn switch_javascript_off(&self) {
        self.session.command("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
        self.go_to(SCRIPT_PROBE).await;
        wait_until("a page whose script doesn't run", async || {
            self.is_true("document.querySelector('p').textContent === 'off'").await
        })
        .await;
    }

    /// Makes the page as wide as a phone or a desktop, and waits until it is laid out so.
    pub async fn set_width(&self, width: i64) {
        let is_phone = width < 600;
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": is_phone });
        self.session.command("Emulation.setDeviceMetricsOverride", size).await;
        // A desktop's scroll bar takes some of it.
        let laid_out = format!("Math.abs(document.documentElement.clientWidth - {width}) < 20");
        wait_until(&format!("the page is {width} px wide"), async || self.is_true(&laid_out).await).await;
    }

    /// Pages are shown to a person who prefers this colour scheme: `light` or `dark`.
    pub async fn prefer_color_scheme(&self, scheme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.session.command("Emulation.setEmulatedMedia", json!({ "features": [feature] })).await;
    }

    /// Keeps the events of one kind from now on. The protocol's name for them is `domain.event`.
    pub async fn keep(&self, kind: &str) -> Events {
        let events = self.session.keep(kind);
        let (domain, _) = kind.split_once('.').expect("domain.event");
        self.session.command(&format!("{domain}.enable"), json!({})).await;
        events
    }

    /// Waits until the new page, and not the one before it, has loaded.
    async fn go_to(&self, url: &str) {
        let started = self.session.command("Page.navigate", json!({ "url": url })).await;
        assert!(started.get("errorText").is_none(), "{url}: {}", started["errorText"]);
        let is_loaded = |event: &Value| event["loaderId"] == started["loaderId"] && event["name"] == "load";
        wait_until(&format!("{url} has loaded"), async || self.life.take().iter().any(is_loaded)).await;
    }

    async fn mouse(&self, event: Value) {
        self.session.command("Input.dispatchMouseEvent", event).await;
    }
}
