//! axe-core finds nothing to object to on any page of the shop and of the dashboard.

use std::path::PathBuf;

use flash_sale_core::environment::required_text;
use flash_sale_testbed::testing::browser::{Chromium, Tab};

use super::dashboard_browser::{EXPLORED_PAGES, WIDTHS, Watched, pages};
use super::*;

/// Gives one line for each element that breaks a rule, with the rule, or an error's text.
const RUN: &str = "axe.run(document, { resultTypes: ['violations'] }).then(
    (found) => found.violations.flatMap((rule) => rule.nodes.map((node) =>
        `${rule.id}: ${node.html.slice(0, 200)} ${node.any.map((check) => check.message).join(' ')}`)),
    (error) => [`axe-core has failed: ${error}`])";

#[tokio::test]
#[ignore = "needs axe-core, which .ci/axe gets: AXE_JS=$(.ci/axe)"]
async fn axe_core_finds_no_violation_on_any_page() {
    let file = PathBuf::from(required_text("AXE_JS", "the path that .ci/axe prints").unwrap());
    let axe = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let Some(browser) = Chromium::start().await else { return };
    let shop = Watched::open("100").await;
    let click = shop.number_of_a_click().await;
    shop.click_in_slow_motion().await;
    let tab = browser.open_tab().await;
    shop.explore(&tab, "pessimistic").await;
    let mut found = Vec::new();

    for scheme in ["light", "dark"] {
        tab.prefer_color_scheme(scheme).await;
        let explored = EXPLORED_PAGES.map(str::to_owned);
        let dashboard = pages(click).into_iter().chain(explored).map(|path| shop.page(&path));
        let shops = ["/", "/nowhere"].map(|path| shop.project.url(path));
        for url in dashboard.chain(shops) {
            tab.open(&url).await;
            found.extend(look(&tab, &axe, &format!("{scheme} {url}")).await);
        }
        // The last copy is sold, and the page has no button for it.
        shop.reset().await;
        tab.open(&shop.project.url("/")).await;
        for (button, state) in [("#buy", "after Buy Now"), ("#reset", "after Reset")] {
            let before: f64 = tab.evaluate("performance.timeOrigin").await.unwrap();
            // On a phone, the button may be below the window. So it is not pressed with the mouse.
            tab.evaluate::<serde_json::Value>(&format!("document.querySelector('{button}').click()")).await;
            let is_new = format!(
                "performance.timeOrigin !== {before} && document.readyState === 'complete' && \
                 document.querySelector('#notice') !== null"
            );
            wait_until(state, async || tab.is_true(&is_new).await).await;
            found.extend(look(&tab, &axe, &format!("{scheme} shop {state}")).await);
        }
    }

    assert!(found.is_empty(), "{} violations:\n{}", found.len(), found.join("\n"));
    shop.close().await;
}

/// What axe-core finds in the page that the tab shows, on a desktop and on a phone.
async fn look(tab: &Tab, axe: &str, page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for width in WIDTHS {
        tab.set_width(width).await;
        tab.evaluate::<serde_json::Value>(&format!("{axe}; null")).await;
        let violations: Vec<String> =
            tab.evaluate(RUN).await.unwrap_or_else(|| panic!("no axe-core in {page}"));
        found.extend(violations.into_iter().map(|violation| format!("{page}, {width} px: {violation}")));
    }
    found
}
