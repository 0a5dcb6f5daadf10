//! The page Slow motion: a click is started, grows while it happens, and ends as a click like any other.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use flash_sale_dashboard::engine_messages::{EngineMessage, Progress, SentClick};
use flash_sale_dashboard::{Heard, Order};
use flash_sale_wiretap::trace::{Outcome, Transaction};

use crate::fake_rooms::FakeRooms;
use crate::fixtures::fixed;
use crate::served::Served;

#[tokio::test]
async fn one_click_runs_at_a_time_and_the_form_leads_back_to_its_page() {
    let rooms = FakeRooms::default();
    let dashboard = Served::with(Vec::new(), &rooms);
    assert!(dashboard.text("/slow-motion").await.contains("Click in slow motion</button>"));

    let started = dashboard.post("/slow-motion", "do=start").await;
    assert_eq!(
        (started.status().as_u16(), &started.headers()["location"]),
        (303, &"/slow-motion".parse().unwrap())
    );
    for path in ["/slow-motion", "/race", "/verdict"] {
        let second =
            dashboard.post(path, "strategy=nowait&copies=1&buyers=1&rounds=1&window=0&do=start").await;
        assert_eq!(second.status(), 409, "{path}");
        assert!(second.text().await.unwrap().contains("A click in slow motion runs already"), "{path}");
    }
    assert_eq!(*rooms.engine.orders.lock().unwrap(), [Order::SlowMotion]);
    let verdict = dashboard.text("/verdict").await;
    assert!(verdict.contains("A <a href=\"/slow-motion\">click in slow motion</a> runs."), "{verdict}");
    let page = dashboard.text("/slow-motion").await;
    assert!(
        page.contains("data-growing") && page.contains("<noscript><meta http-equiv=\"refresh\""),
        "{page}"
    );

    let stopped = dashboard.post("/slow-motion", "do=stop&on=screen").await;
    assert_eq!(stopped.headers()["location"], "/slow-motion/screen");
    assert!(rooms.engine.is_told_to_stop());
    rooms.engine.end();
    let page = dashboard.until("/slow-motion", "Stopped before the end.").await;
    assert!(!page.contains("data-growing") && !page.contains("http-equiv"), "{page}");
}

#[tokio::test]
async fn open_lanes_grow_on_a_clock_that_stays() {
    let (_rooms, dashboard) = clicked(half_way()).await;

    let first = dashboard.until("/slow-motion/screen", "class=\"picture").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    let second = dashboard.text("/slow-motion/screen").await;

    let (before, after) = (run_ends(&first), run_ends(&second));
    assert_eq!((before.len(), after.len()), (2, 2), "{first}");
    for (before, after) in before.iter().zip(&after) {
        assert!(after - before > 4.0, "100 ms are 6 px: {before} {after}");
    }
    let wait = |page: &str| number_behind(page, "class=\"wait\"", " width=\"");
    assert!(wait(&second) - wait(&first) > 4.0, "the wait grows too: {second}");
    let size = |page: &str| page.split("viewBox=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    assert_eq!(size(&first), size(&second));
    let read = |page: &str| number_behind(page, "aria-label=\"A: SELECT FOR UPDATE", "class=\"box\" x=\"");
    assert_eq!(read(&first), read(&second), "what has happened stays in its place");
    assert_eq!(second.matches("class=\"arrow\"").count(), 1, "{second}");
    assert!(second.contains("class=\"now\""), "{second}");
}

#[tokio::test]
async fn the_captions_say_what_each_purchase_does_now_and_the_end_is_a_click_like_any_other() {
    let (rooms, dashboard) = clicked(half_way()).await;
    let page = dashboard.until("/slow-motion", "Purchase A ").await;
    for expected in [
        "Purchase A has read quantity = 1 and pays.",
        "Purchase B waits for purchase A with its SELECT FOR UPDATE.",
        "id=\"stock-now\">1<",
        "id=\"orders-now\">0<",
    ] {
        assert!(page.contains(expected), "{expected}\n{page}");
    }

    for transaction in ended() {
        dashboard.add(transaction);
    }
    rooms.engine.end();
    let page = dashboard.until("/slow-motion", "Click in slow motion</button>").await;

    for expected in [
        "Purchase A has committed order a1d0c2be.",
        "Purchase B has read quantity = 0 and rolled back.",
        "id=\"stock-now\">0<",
        "id=\"orders-now\">1<",
        "1 new order: a1d0c2be.",
        "href=\"/clicks/21\"",
    ] {
        assert!(page.contains(expected), "{expected}\n{page}");
    }
    assert!(!page.contains("class=\"now\"") && !page.contains("data-growing"), "{page}");
    assert!(dashboard.text("/clicks/21").await.contains("id=\"click-21\""));
}

#[tokio::test]
async fn it_says_what_happens_before_the_click_why_it_has_failed_and_why_it_can_not_be() {
    let rooms = FakeRooms::default();
    let dashboard = Served::with(Vec::new(), &rooms);
    dashboard.post("/slow-motion", "do=start").await;
    let doing = Progress { doing: "The replicas <are> replaced.".to_owned(), done: 0, all: 0 };
    rooms.engine.tell(message(EngineMessage::Progress(doing))).await;
    dashboard.until("/slow-motion", "The replicas &#60;are&#62; replaced.").await;

    rooms.engine.tell(Heard::Line("error: another check of this shop is running".to_owned())).await;
    rooms.engine.end();
    dashboard.until("/slow-motion", "It has failed: another check of this shop is running").await;

    *rooms.engine.refusal.lock().unwrap() = Some("It runs <elsewhere>. Type: make run".to_owned());
    let page = dashboard.text("/slow-motion").await;
    assert!(
        page.contains("It runs &#60;elsewhere&#62;. Type: make run") && !page.contains("id=\"start\""),
        "{page}"
    );
    assert_eq!(dashboard.post("/slow-motion", "do=start").await.status(), 503);
}

/// A dashboard whose slow motion has clicked, with these transactions.
async fn clicked(transactions: Vec<Transaction>) -> (FakeRooms, Served) {
    let rooms = FakeRooms::default();
    let at = transactions.iter().map(|it| it.began_at).min().unwrap() - TimeDelta::milliseconds(1);
    let dashboard = Served::with(transactions, &rooms);
    assert_eq!(dashboard.post("/slow-motion", "do=start").await.status(), 303);
    rooms.engine.tell(message(EngineMessage::Clicked(SentClick { at }))).await;
    (rooms, dashboard)
}

/// The repaired shop two seconds after a click: A pays, and B has waited for half a second.
fn half_way() -> Vec<Transaction> {
    let mut transactions = ended();
    for transaction in &mut transactions {
        (transaction.ended_at, transaction.outcome, transaction.order_id) = (None, Outcome::Open, None);
        transaction.statements.truncate(2);
    }
    let waits = &mut transactions[0].statements[1];
    (waits.ended_ms, waits.tag, waits.rows, waits.saw) = (None, None, None, None);
    waits.blocked_by.as_mut().unwrap().waited_ms = 480.0;
    transactions
}

/// The same click when it has ended.
fn ended() -> Vec<Transaction> {
    let mut transactions = fixed();
    let (now, pids) = (Utc::now(), [4811, 4812]);
    for ((transaction, pid), (number, ago_ms)) in
        transactions.iter_mut().zip(pids).zip([(22, 500), (21, 2000)])
    {
        (transaction.number, transaction.backend_pid) = (number, pid);
        transaction.began_at = now - TimeDelta::milliseconds(ago_ms);
        transaction.ended_at = Some(now);
    }
    transactions[0].statements[1].blocked_by.as_mut().unwrap().backend_pid = 4812;
    transactions
}

fn message(message: EngineMessage) -> Heard {
    Heard::Message(Box::new(message))
}

/// Where each lane ends.
fn run_ends(page: &str) -> Vec<f64> {
    let runs = page.split("class=\"run\"").skip(1);
    runs.map(|run| number_behind(run, "", " x2=\"")).collect()
}

/// The first number behind these two texts.
#[track_caller]
fn number_behind(page: &str, first: &str, second: &str) -> f64 {
    let at = page.find(first).unwrap_or_else(|| panic!("no {first}:\n{page}"));
    let rest = page[at..].split(second).nth(1).unwrap();
    rest.split('"').next().unwrap().parse().unwrap()
}
