//! The pages Explore and Scheduler in a real browser: schedules as cells, one of them step by step, two steps swapped,
//! and a reader who is the scheduler. `pessimistic` is never edited, so its counts hold before and after the fix.

use super::*;

impl Watched {
    /// Has all schedules of a way to sell played, from the page Explore, and waits for its end.
    pub async fn explore(&self, tab: &Tab, strategy: &str) {
        tab.open(&self.page("/explore")).await;
        start(tab, strategy).await;
        wait_for_text(tab, "All 36 schedules were played. 0 broke a rule.").await;
    }

    async fn assert_fits(&self, tab: &Tab, watch: &Watch) {
        watch.assert_quiet(tab, &self.dashboard, &[]).await;
        for width in WIDTHS {
            tab.set_width(width).await;
            // The new width is there a moment before all of the page is laid out for it.
            let fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth";
            wait_until(&format!("the page fits into {width} px"), async || tab.is_true(fits).await).await;
        }
        tab.set_width(WIDTHS[0]).await;
    }
}

/// The pages of an exploration of `pessimistic`, which was the first one.
pub const EXPLORED_PAGES: [&str; 5] = [
    "/explore/1",
    "/explore/1/AABBAAAB",
    "/explore/1/AABBAAAB?step=4",
    "/explore/1/ABABAAAB/swap/3",
    "/scheduler?strategy=pessimistic&copies=1&steps=AABB",
];

async fn start(tab: &Tab, strategy: &str) {
    tab.evaluate::<Value>(&format!("document.querySelector('#strategy').value = '{strategy}'")).await;
    tab.click("button[value=start]").await;
}

async fn wait_for_text(tab: &Tab, text: &str) {
    let is_there = format!("document.querySelector('main')?.textContent.includes('{text}')");
    wait_until(text, async || tab.is_true(&is_there).await).await;
}

/// Follows the first link with this text.
async fn follow(tab: &Tab, link: &str) {
    let find = format!("[...document.querySelectorAll('main a')].find((it) => it.textContent === '{link}')");
    tab.evaluate::<Value>(&format!("{find}.click()")).await;
}

#[tokio::test]
async fn schedules_are_cells_and_one_of_them_is_stepped_through_and_swapped() {
    let Some(browser) = Chromium::start().await else { return };
    let shop = Watched::open("100").await;
    let tab = browser.open_tab().await;
    let watch = Watch::start(&tab).await;
    shop.explore(&tab, "pessimistic").await;
    let cells: Vec<i64> = tab
        .evaluate("[...document.querySelectorAll('.schedules')].map((it) => it.children.length)")
        .await
        .unwrap();
    assert_eq!((cells.iter().sum::<i64>(), cells.contains(&24)), (36, true), "24 of 36 wait: {cells:?}");
    shop.assert_fits(&tab, &watch).await;

    tab.click("a[title^=AABBAAAB]").await;
    wait_for_text(&tab, "After step 8 of 8").await;
    for step in (4..8).rev() {
        follow(&tab, "One step back").await;
        wait_for_text(&tab, &format!("After step {step} of 8")).await;
    }
    assert!(tab.is_true("document.querySelector('tr.current b').textContent === 'B'").await);
    wait_for_text(&tab, "waits").await;
    shop.assert_fits(&tab, &watch).await;

    tab.click("a[aria-label='Swap steps 2 and 3']").await;
    wait_for_text(&tab, "Swapped: ABABAAAB").await;
    assert!(tab.is_true("document.querySelectorAll('.beside .picture').length === 2").await);
    shop.assert_fits(&tab, &watch).await;
    shop.close().await;
}

#[tokio::test]
async fn an_exploration_that_is_stopped_says_so_and_the_next_one_can_begin() {
    let Some(browser) = Chromium::start().await else { return };
    let shop = Watched::open("100").await;
    let tab = browser.open_tab().await;
    tab.open(&shop.page("/explore")).await;
    // It has 672 schedules, which take seconds.
    start(&tab, "serializable").await;
    wait_for_text(&tab, " schedules so far.").await;

    tab.click("#stop").await;

    wait_for_text(&tab, "Stopped before the end.").await;
    shop.explore(&tab, "pessimistic").await;
    wait_for_text(&tab, "Other explorations").await;
    shop.close().await;
}

#[tokio::test]
async fn a_reader_who_is_the_scheduler_says_what_is_read_and_is_told_what_came() {
    let Some(browser) = Chromium::start().await else { return };
    let shop = Watched::open("100").await;
    let tab = browser.open_tab().await;
    let watch = Watch::start(&tab).await;
    tab.open(&shop.page("/scheduler?strategy=pessimistic&copies=1")).await;
    for (letter, steps) in [("A", 1), ("A", 2), ("B", 3)] {
        tab.click(&format!("#go-{letter}")).await;
        wait_for_text(&tab, &format!("After step {steps} ")).await;
    }
    wait_for_text(&tab, "What will B read?").await;

    tab.click("button[value='0']").await;

    wait_for_text(&tab, "You said of B: it reads 0. But it waits.").await;
    shop.assert_fits(&tab, &watch).await;
    shop.close().await;
}
