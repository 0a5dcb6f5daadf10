//! The page State, and its JSON.

use std::sync::atomic::Ordering;

use flash_sale_dashboard::shop_state::BuildState;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::fake_rooms::FakeRooms;
use crate::served::Served;

#[tokio::test]
async fn the_page_shows_stock_orders_locks_and_who_waits_for_whom() {
    let page = Served::start(Vec::new()).text("/state").await;

    for expected in [
        "Sleep &#60;soundly&#62;",
        "<dd id=\"stock-now\" class=\"bad\">-1</dd>",
        "<dd id=\"orders-now\">2</dd>",
        "<th scope=\"row\">Purchases committed</th><td class=\"number\">2.5</td><td class=\"number\">25</td>",
        "<td>ShareLock</td><td>waits for 4711</td>",
        "1 held, 1 awaited",
        "Gateway: 3 open of 500 at most, 77 accepted",
        "all replicas run what the files say",
    ] {
        assert!(page.contains(expected), "{expected}\n{page}");
    }
}

#[tokio::test]
async fn scripts_get_the_same_figures() {
    let answer: Value = serde_json::from_str(&Served::start(Vec::new()).text("/api/state").await).unwrap();

    assert_eq!(answer["database"]["book"]["stock"], -1);
    assert_eq!(answer["database"]["locks"][0]["waits_for"], json!([4711]));
    assert_eq!(answer["traffic"]["purchases"], 25);
    assert_eq!(answer["build"], json!({ "is": "up_to_date" }));
}

#[tokio::test]
async fn without_its_database_the_page_says_so_and_shows_the_rest() {
    let rooms = FakeRooms::default();
    {
        let mut state = rooms.shop.state.lock().unwrap();
        state.database = None;
        state.database_away = Some("connection refused".to_owned());
    }
    let dashboard = Served::with(Vec::new(), &rooms);

    let page = dashboard.text("/state").await;

    assert!(page.contains("The database does not answer:</b> connection refused"), "{page}");
    assert!(page.contains("replica-2") && page.contains("77 accepted"), "{page}");
    let answer: Value = serde_json::from_str(&dashboard.text("/api/state").await).unwrap();
    assert_eq!((&answer["database"], &answer["database_away"]), (&Value::Null, &"connection refused".into()));
}

#[tokio::test]
async fn however_many_look_the_shop_is_asked_once_a_second() {
    let rooms = FakeRooms::default();
    let dashboard = Served::with(Vec::new(), &rooms);

    join_all((0..40).map(|_| dashboard.get("/state"))).await;
    // A machine that is slow enough takes more than a second for these pages.
    let asked = rooms.shop.asked.load(Ordering::SeqCst);
    assert!((1..20).contains(&asked), "{asked}");

    rooms.shop.state.lock().unwrap().database.as_mut().unwrap().book.as_mut().unwrap().stock = 7;
    let shows_it = async || dashboard.text("/state").await.contains("<dd id=\"stock-now\">7</dd>");
    while !shows_it().await {}
}

#[tokio::test]
async fn a_build_that_is_not_the_trees_is_named_with_the_next_command() {
    for (build, expected) in [
        (BuildState::Outdated, "Replace it: make build"),
        (
            BuildState::NotBuilt { sources: vec!["crates/web/src/main.rs".to_owned()] },
            "No: crates/web/src/main.rs changed after the last build. Build it: make build",
        ),
        (BuildState::Unknown, "Nobody knows"),
    ] {
        let rooms = FakeRooms::default();
        rooms.shop.state.lock().unwrap().build = build;

        let page = Served::with(Vec::new(), &rooms).text("/state").await;

        assert!(page.contains(expected), "{expected}\n{page}");
    }
}

#[tokio::test]
async fn a_page_that_is_open_is_told_every_second() {
    let dashboard = Served::start(Vec::new());
    let mut events = dashboard.get("/events/state").await;
    assert_eq!(events.headers()["content-type"], "text/event-stream");

    let mut heard = String::new();
    while !heard.contains("data: 2\n") {
        heard.push_str(std::str::from_utf8(&events.chunk().await.unwrap().unwrap()).unwrap());
    }

    assert!(heard.starts_with("retry: 1000\n\nevent: news\ndata: 1\n\n"), "{heard}");
}
