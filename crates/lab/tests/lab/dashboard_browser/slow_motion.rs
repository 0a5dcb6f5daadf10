//! The page Slow motion in a real browser: lanes grow without a reload, and everything is as before afterwards.

use serde::Deserialize;

use super::*;

/// Gives a [`Look`].
const LOOK: &str = r##"(() => {
    const all = (selector, name) =>
        Array.from(document.querySelectorAll(selector), (it) => Number(it.getAttribute(name)));
    const main = document.getElementById("timeline");
    return {
        loaded_at: performance.timeOrigin,
        is_growing: main.hasAttribute("data-growing"),
        lane_ends: all(".picture .run", "x2"),
        width: all(".picture", "width")[0] ?? 0,
        waits: all(".picture .wait", "width"),
        says: main.textContent,
    };
})()"##;

/// What the page shows at one moment.
#[derive(Clone, Debug, Deserialize)]
struct Look {
    /// Another time means that the page was loaded again.
    loaded_at: f64,
    is_growing: bool,
    /// Where each lane ends, in the picture's pixels.
    lane_ends: Vec<f64>,
    width: f64,
    /// How wide each hatched part is.
    waits: Vec<f64>,
    says: String,
}

#[tokio::test]
async fn a_click_in_slow_motion_grows_and_ends_on_the_timeline_and_the_replicas_are_as_before() {
    let Some(browser) = Chromium::start().await else { return };
    let shop = Watched::open("100").await;
    // The only tab: the browser slows down the timers of a tab that is not in front.
    let tab = browser.open_tab().await;
    tab.open(&shop.page("/slow-motion")).await;
    tab.click("#start").await;

    let first = wait_for(&tab, "the first purchase", |look| look.lane_ends.len() == 1).await;
    assert!(first.says.contains("Purchase A ") && first.is_growing, "{first:#?}");
    let refused = shop.post_slow_motion(&shop.dashboard).await;
    assert_eq!(refused.status(), 409);
    assert!(refused.text().await.unwrap().contains("A click in slow motion runs already"));
    assert_eq!(shop.post_slow_motion("http://evil.example").await.status(), 403);
    let is_longer = |look: &Look| look.lane_ends[0] > first.lane_ends[0] + 10.0;
    wait_for(&tab, "the first purchase grows", is_longer).await;

    let both = wait_for(&tab, "the second purchase", |look| look.lane_ends.len() == 2).await;
    let has_grown = |look: &Look| look.lane_ends.iter().zip(&both.lane_ends).all(|(now, then)| now > then);
    let pays = "Purchase B has read quantity = 1 and pays";
    let waits = "Purchase B waits for purchase A with its SELECT FOR UPDATE";
    let is_clear = |look: &Look| look.says.contains(pays) || look.says.contains(waits);
    let later = wait_for(&tab, "both purchases grow", |look| has_grown(look) && is_clear(look)).await;
    assert_eq!(
        (later.loaded_at, later.width),
        (first.loaded_at, first.width),
        "no reload, and no other scale"
    );
    if later.says.contains(waits) {
        let is_longer = |look: &Look| look.waits.first() > later.waits.first();
        wait_for(&tab, "the hatched wait grows", is_longer).await;
    }

    let last = wait_for(&tab, "the end", |look| !look.is_growing).await;
    assert_eq!((last.loaded_at, last.width), (first.loaded_at, first.width));
    shop.assert_is_as_before().await;
    shop.assert_ends_on_the_timeline(&tab, &last).await;
    shop.close().await;
}

/// Waits for a moment at which the page is so, and returns what it shows then.
async fn wait_for(tab: &Tab, what: &str, is_so: impl Fn(&Look) -> bool) -> Look {
    let mut found = None;
    wait_until(what, async || {
        found = tab.evaluate::<Look>(LOOK).await.filter(&is_so);
        found.is_some()
    })
    .await;
    found.expect("just waited for")
}

impl Watched {
    /// Clicks in slow motion, and waits for the end.
    pub async fn click_in_slow_motion(&self) {
        assert_eq!(self.post_slow_motion(&self.dashboard).await.status(), 200);
        let is_over = async || {
            let page = self.visitor.get(self.page("/slow-motion")).send().await.unwrap();
            page.text().await.unwrap().contains("id=\"start\"")
        };
        wait_until("the slow motion is over", is_over).await;
    }

    async fn post_slow_motion(&self, origin: &str) -> reqwest::Response {
        let post = self.visitor.post(self.page("/slow-motion")).header("Origin", origin);
        post.header("Accept", "text/html").body("do=start").send().await.unwrap()
    }

    async fn assert_is_as_before(&self) {
        for pid in replica_pids(&self.project.status().await) {
            let environment = fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
            let has = |variable: &str| environment.split('\0').any(|it| it == variable);
            assert!(
                has("RACE_WINDOW_MS=100") && !environment.contains("RETRY_AFTER_MS=1500"),
                "{environment}"
            );
        }
    }

    /// Of the shop as it was shipped, or as the learner has fixed it.
    async fn assert_ends_on_the_timeline(&self, tab: &Tab, last: &Look) {
        let orders = order::Entity::find().all(&self.database.connection).await.unwrap().len();
        let says = if last.waits.is_empty() {
            "has committed order"
        } else {
            "has read quantity = 0 and rolled back"
        };
        assert!(last.says.contains(&format!("Purchase B {says}")), "{last:#?}");
        assert_eq!(orders, last.says.matches("has committed order").count(), "{last:#?}");
        tab.click("#timeline .links a").await;
        let is_click = "location.pathname.startsWith('/clicks/')";
        wait_until("the click's own page", async || tab.is_true(is_click).await).await;
        let picture = self.wait_for_the_orders(tab).await;
        self.assert_tells_of_one_click(&picture);
    }
}
