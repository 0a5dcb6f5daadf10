//! The newest picture of a page of the dashboard, and the table below it, read out of the browser.

use flash_sale_testbed::testing::browser::Tab;
use serde::Deserialize;

/// Gives a [`Picture`], or null while there is none. It only reads, so it also runs where the page's own scripts may
/// not.
const READ: &str = r##"(() => {
    const picture = document.querySelector("main .picture");
    if (document.readyState !== "complete" || !picture) return null;
    const text = (element) => element?.textContent.trim() ?? "";
    const number = (element, name) => Number(element.getAttribute(name));
    const all = (root, selector, read) => Array.from(root.querySelectorAll(selector), read);
    return {
        lanes: all(picture, ".lane", (lane) => ({
            letter: lane.dataset.lane,
            replica: lane.closest(".of-replica").getAttribute("aria-label"),
            ending: text(lane.querySelector(".ending")),
            bars: all(lane, ".bar", (bar) => ({
                label: text(bar.querySelector(".verb")),
                says: bar.getAttribute("aria-label"),
                href: bar.getAttribute("href"),
                x: number(bar.querySelector(".box"), "x"),
                wait: bar.querySelector(".wait") ? number(bar.querySelector(".wait"), "width") : 0,
            })),
        })),
        arrows: picture.querySelectorAll(".arrow").length,
        rows: all(document.querySelector(".statements tbody") ?? document.createElement("p"), "tr", (row) => ({
            letter: row.dataset.lane,
            label: text(row.querySelector("summary b")),
            waited: text(row.querySelector(".waited")),
        })),
    };
})()"##;

/// The newest click of a page.
#[derive(Clone, Debug, Deserialize)]
pub struct Picture {
    pub lanes: Vec<Lane>,
    pub arrows: usize,
    /// The table, in the order of time. It is empty on a page without a table.
    pub rows: Vec<Row>,
}

/// One transaction.
#[derive(Clone, Debug, Deserialize)]
pub struct Lane {
    pub letter: String,
    pub replica: String,
    pub ending: String,
    pub bars: Vec<Bar>,
}

/// One statement.
#[derive(Clone, Debug, Deserialize)]
pub struct Bar {
    pub label: String,
    /// What a screen reader says.
    pub says: String,
    pub href: String,
    pub x: f64,
    /// How wide its hatched part is.
    pub wait: f64,
}

/// One statement in the table.
#[derive(Clone, Debug, Deserialize)]
pub struct Row {
    pub letter: String,
    pub label: String,
    pub waited: String,
}

impl Picture {
    /// The newest picture that the tab shows.
    pub async fn in_tab(tab: &Tab) -> Option<Self> {
        tab.evaluate::<Option<Self>>(READ).await.flatten()
    }

    /// Whether it has two lanes, and both have ended.
    pub fn is_complete(&self) -> bool {
        self.lanes.len() == 2 && self.lanes.iter().all(|lane| lane.has_ended())
    }

    /// The bar of this lane with this label.
    #[track_caller]
    pub fn bar(&self, letter: &str, label: &str) -> &Bar {
        let lane = self.lanes.iter().find(|lane| lane.letter == letter);
        let bar = lane.and_then(|lane| lane.bars.iter().find(|bar| bar.label == label));
        bar.unwrap_or_else(|| panic!("no {label} in lane {letter}: {self:#?}"))
    }

    /// The place of this statement in the table.
    #[track_caller]
    pub fn row(&self, letter: &str, label: &str) -> usize {
        let row = self.rows.iter().position(|row| row.letter == letter && row.label == label);
        row.unwrap_or_else(|| panic!("no row for {label} of {letter}: {self:#?}"))
    }
}

impl Lane {
    /// Whether its transaction was committed or rolled back.
    pub fn has_ended(&self) -> bool {
        self.ending.starts_with("committed") || self.ending.starts_with("rolled back")
    }

    /// The labels of its bars, from left to right.
    pub fn labels(&self) -> Vec<&str> {
        assert!(self.bars.is_sorted_by(|one, other| one.x < other.x), "{self:#?}");
        self.bars.iter().map(|bar| bar.label.as_str()).collect()
    }
}
