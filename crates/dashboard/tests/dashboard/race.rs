//! The page Race: the form, a race that is followed, its table and charts, and races side by side.

use flash_sale_dashboard::engine_messages::{
    EngineMessage, Progress, RaceFigures, RacedStrategies, RacedStrategy,
};
use flash_sale_dashboard::{Heard, Order, RaceOrder};

use crate::fake_rooms::FakeRooms;
use crate::served::Served;

const FORM: &str = "strategy=exercise&strategy=nowait&copies=5&buyers=40&rounds=2&window=0&do=start";

#[tokio::test]
async fn the_form_names_the_strategies_and_starts_the_race_that_was_asked_for() {
    let (rooms, dashboard) = dashboard();
    let page = dashboard.text("/race").await;
    assert!(page.contains("value=\"exercise\" id=\"strategy-exercise\" checked>"), "{page}");
    assert!(page.contains("&#60;b&#62;gives up&#60;/b&#62; at once"), "{page}");

    assert_eq!(dashboard.post("/race", FORM).await.status(), 303);

    let order = RaceOrder {
        strategies: vec!["exercise".to_owned(), "nowait".to_owned()],
        copies: 5,
        buyers: 40,
        rounds: 2,
        window_ms: 0,
    };
    assert_eq!(*rooms.engine.orders.lock().unwrap(), [Order::Race(order)]);
    let page = dashboard.text("/race").await;
    assert!(page.contains("id=\"strategy-nowait\" checked>"), "the form stays as it was: {page}");
    assert!(page.contains("name=\"buyers\" id=\"buyers\" value=\"40\" min=\"1\" max=\"2000\""), "{page}");
}

#[tokio::test]
async fn a_race_shows_its_progress_and_then_its_table_and_charts() {
    let (rooms, dashboard) = dashboard();
    dashboard.post("/race", FORM).await;
    let progress = Progress { doing: "nowait".to_owned(), done: 3, all: 4 };
    rooms.engine.tell(message(EngineMessage::Progress(progress))).await;
    dashboard.until("/race", "nowait: round 4 of 4</label>").await;

    rooms.engine.tell(message(EngineMessage::Raced(raced(41.0)))).await;
    rooms.engine.end();

    let page = dashboard.until("/race", "Table of race 1").await;
    let nowait = page.split("<tr>").find(|row| row.contains(">nowait</th>")).unwrap();
    for expected in
        ["<b class=\"bad\">lost sales</b>", "<td class=\"number\">41</td>", "<td class=\"number\">-</td>"]
    {
        assert!(nowait.contains(expected), "{expected}\n{nowait}");
    }
    let charts = || page.split("<figure>").skip(1);
    assert_eq!(charts().count(), 4);
    assert!(charts().all(|chart| chart.contains("<svg") && chart.contains("nowait")), "{page}");
    assert!(charts().next().unwrap().contains("41"), "{page}");
    assert!(!page.contains(" style=") && !page.contains("<style"), "the policy of the pages allows none");
}

#[tokio::test]
async fn a_race_that_can_not_be_is_refused_with_the_field() {
    let (rooms, dashboard) = dashboard();
    for (form, expected) in [
        ("copies=5&buyers=40&rounds=2&window=0", "The field strategy: "),
        (&FORM.replace("copies=5", "copies=0"), "The field copies: expected a whole number from 1 to 10000"),
        (&FORM.replace("buyers=40", "buyers=2001"), "The field buyers: "),
        (&FORM.replace("&rounds=2", ""), "The field rounds: "),
        (&FORM.replace("window=0", "window=-1"), "The field window: "),
        (&FORM.replace("nowait", "--url"), "The field strategy: "),
        (&FORM.replace("nowait", "a,b"), "The field strategy: "),
    ] {
        let answer = dashboard.post("/race", form).await;

        assert_eq!(answer.status(), 422, "{form}");
        let page = answer.text().await.unwrap();
        assert!(page.contains(expected), "{form}\n{page}");
    }
    assert!(rooms.engine.orders.lock().unwrap().is_empty());
}

#[tokio::test]
async fn two_races_are_compared_in_the_same_charts() {
    let (rooms, dashboard) = dashboard();
    for (number, sold_per_second) in [(1, 41.0), (2, 97.0)] {
        dashboard.post("/race", FORM).await;
        rooms.engine.tell(message(EngineMessage::Raced(raced(sold_per_second)))).await;
        rooms.engine.end();
        dashboard.until("/race", &format!("Table of race {number}")).await;
        while !dashboard.text("/race").await.contains(" s</small>")
            || dashboard.text("/race").await.contains("value=\"stop\"")
        {}
    }
    assert!(dashboard.text("/race").await.contains("id=\"run-1\""));

    let page = dashboard.text("/race/compare?run=2&run=1&run=2").await;
    let chart = page.split("<figure>").nth(1).unwrap();
    for expected in ["race 1, sold per second", "race 2, sold per second", "41", "97"] {
        assert!(chart.contains(expected), "{expected}\n{chart}");
    }
    assert!(page.contains("Table of race 1") && page.contains("Table of race 2"), "{page}");

    for (query, status) in [("", 422), ("?run=1", 422), ("?run=1&run=x", 422), ("?run=1&run=7", 404)] {
        assert_eq!(dashboard.get(&format!("/race/compare{query}")).await.status(), status, "{query}");
    }
    assert_eq!(dashboard.get("/race/7").await.status(), 404);
}

#[tokio::test]
async fn a_shop_that_does_not_answer_takes_away_the_form_and_not_the_page() {
    let (rooms, dashboard) = dashboard();
    *rooms.engine.refusal.lock().unwrap() = Some("no answer in 2 s".to_owned());

    let page = dashboard.text("/race").await;

    assert!(page.contains("</b> no answer in 2 s") && !page.contains("<fieldset>"), "{page}");
}

#[tokio::test]
async fn a_check_and_a_race_do_not_run_at_once_and_each_page_says_so() {
    let (rooms, dashboard) = dashboard();
    dashboard.post("/race", FORM).await;

    assert_eq!(dashboard.post("/verdict", "do=start").await.status(), 409);
    assert!(dashboard.text("/verdict").await.contains("A <a href=\"/race\">race</a> runs."));
    dashboard.post("/race", "do=stop").await;
    assert!(rooms.engine.is_told_to_stop());
    rooms.engine.end();
    dashboard.until("/race", "Stopped before the end.").await;
}

fn dashboard() -> (FakeRooms, Served) {
    let rooms = FakeRooms::default();
    let dashboard = Served::with(Vec::new(), &rooms);
    (rooms, dashboard)
}

fn message(message: EngineMessage) -> Heard {
    Heard::Message(Box::new(message))
}

fn raced(sold_per_second: f64) -> RacedStrategies {
    let strategy = |name: &str, verdict: &str, losers: Option<f64>| RacedStrategy {
        strategy: name.to_owned(),
        verdict: verdict.to_owned(),
        sold: 10,
        oversold: 0,
        lost_sales: 1,
        errors: 0,
        retries: 3,
        winners_p50_ms: Some(12.0),
        winners_p95_ms: Some(80.0),
        losers_p50_ms: losers,
        losers_p95_ms: losers,
        sold_per_second,
    };
    RacedStrategies {
        is_right: false,
        options: RaceFigures { stock: 5, buyers: 40, rounds: 2, window_ms: Some(0) },
        strategies: vec![strategy("exercise", "ok", Some(5.5)), strategy("nowait", "lost_sales", None)],
    }
}
